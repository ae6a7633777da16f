from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "provision_job" ADD "cancel_requested_by" VARCHAR(64);"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "provision_job" DROP COLUMN "cancel_requested_by";"""


MODELS_STATE = (
    "eJztXFFz2zYS/isYPqUzqceWHdvXPsmO0jh1rI6t3rXNdGiIhCScKIAFQCu6Xv77YUFSFC"
    "lSImVZpnR8k4BdEPwWXCw+LPC3NeEu8eTRJ97/yKWyfkB/WwxPiP6RrXqLLOz7SQUUKNz3"
    "jOy/ed8exVJ9qQR2oLEB9iTRRS6RjqC+opyBtCB/BUQq4iJJxBMREvEB0k2YNl3uaH3Khi"
    "DZZQRlpUGY63KtcIR6Iy3Ap4gHyqNPRCKlC0K5t0hy/RcrNKJScTFDUuGZ1O1hF/p9BE8L"
    "GNWt24oPidYU+plfvsDbQJ15oT//1L8oc8lXIsPasHUQADlT74/tASWem8KPuiBjym0180"
    "3ZDVMfjCC8aN92uBdMWCLsz9SIs7k0ZQbQIWFEYA2ALlMiAEBZ4HkR9jHG4ZskImGfF3Rc"
    "MsCBB2YB7bADSZll23fdnv3Q6dm2tWSyWGPBNlGRwxmYW3dVmrcfQhe+b52cXZxdnp6fXW"
    "oR0815ycW38NEJMKGigeeuZ30z9VjhUMKAnoAaD7I0rNcjLPJxjeUzyOouZ5GNcVwFbVyQ"
    "YJuM8F2AO8FfbY+woRrpv6etFUj+s31//bF9/+a09R08kOsPMvxS76KalqkCsBNww5Ftm7"
    "8VMM6oHSDU52cloD4/K4QaqtJQg8Os5CAShfVOYh/w3YqfWBq6lSBN6WyEauRZDwlUmM4G"
    "41zfG02LaXQ/cEHokP1MZgbkG90hzJw8RxDFE78I/kSlfrNPYXN7NnC/xaMoLk2GgcDTeR"
    "iw8L1qCPSLExV60fbDdft9x8oZvFvA9mHe0H4N3LKgpr7YFK66B+ju19tbywzgPnbGUyxc"
    "OzWSoYa3eKZkLrtcNWlNsiWY4aHBB14Euh0hf8uH16OAja2cCHpetzKE9vjQduZia2NoLY"
    "76M0WKY+c2EgGD2rnoEXrUI0ioR/QG/uu6gSTqO0Qloi5hiqrZW8SFq2NszFzkBEJy8SN6"
    "HFAhle1RRh5B9uT7PpbEXRs/m2ctBdCV4uUrOvx/CZn/0Wqdnl60jk/PL9+dXVy8uzyeu+"
    "/lqlV+/OrmJ3DlqVBkfWAdGquSAeYqhxSR7MQMCezJp1UN+7ReY4CNDQAfRB70DItZPvSx"
    "RgZ042H3EPZVCN52r6DliZR/eVa41Lm6uWvf//7mc/s3s9qZzKKq2+7dT7G8rxfdQ2Easq"
    "5+73XaGczJhCqNj41zHM57jZyiE5KPfVozYwE3Uj2KfxyWNXo3nzsPvfbnX1Imed/udaCm"
    "lbJGXPrmPLMmnTeC/nXT+4jgL/qje9fJmm0u1/sDYlULB4rbjE9t7C5iEhfHRc0at1mO1X"
    "LlsG459jqrhhT4OSuHrHGKVw9+LGlHw2L9CqKYcA+XDdxw7w71iV43DIgeRY9oKPhUoilV"
    "I0SwM0KOh+nkB4TRVFCllw2mBmt1z0VGBdYLIywmHpGyaMGwzLArrALTN20yXfvFCvuRLo"
    "l2Bez+bLHcEQQnMwSUNgT9Lgn6xFJl6eNEo2GOSzDHgoQfejWIE50G5BIgJx5oGeIOCyZL"
    "k2t2YRxp1xlsa6r9LzEbpnoqgM1R5i5NCGXgPzkvAf9JNhJN4IeqzKoYUy8QxNa+XBaN9P"
    "VmWG5lI3PshivV1pjNbUF00y7CEnXu77v3m9hk+5uDEz2D6yhm2Rg98rVgzlxQqTHyW1mb"
    "dX7rpZZlMZL5C+VYfAH5a1g7Z5bJX6nSaLo5mBeGKSmdZk9rme9xRsQZ25NcVK849whm+c"
    "imFbPkj9Z8Kc8+L9kx+dPt3qaG9NVNdsz++vmqoz27Gd9aiKoijo0OBhXRjlUanCvgrPAw"
    "J2b59NC9ywc5ls/yaNRR6L/Io3IfWZcVUAMSq7101iG/TbNi0EDWS8sx9e2qyKeUGvifAb"
    "8OPgS2n7CohH9a61kGqNl8ufPhTxxBVIEBVm2jZBQ33E3ZH/RfajMFNjp4oGyNJ48WcCVj"
    "xRzNhnfPmVZ9QbmgalYB2kWV3WF6vCeAZrnb8jRWWq/O7EptqCzqkonPFWHOzB6TSnjnqG"
    "5lHf+6BHgK79a7dyUA11KFiJu6DH1FIjqqpLeYyzeuIusqplyM81IjiwdtonEInFOGaW1d"
    "lqFaW5fFXCvUZRgRIE89e1OnXKB+eOBv3zVDyqePdeMV4F7UOTyMX8QdA2SS/qdiht2i1s"
    "H45R0n10F+ooY0YBUzS9N6DfqboZ9OhaiSZpfWPMA0OwsOgXaZN4sc4p6k3UW+e2XWncnK"
    "3sjqac0tWL1mU82eGLlUbqXZId4kgXZBr7Fw3Sy8lO1ZnJaYPhKdx71Gah9+viceVvnZP8"
    "tn/PfMkRflf2b2fAM2fiZEi4e4DgWjl0xtjY4i5iS1JocUi9NZkxOR6/NYozskrAwWJpU1"
    "uTECUmv08zzqGEMfoUcd5JhDb9h7RCOu38nIEOaImR/eNgEbFOYkHJWIEWhIjviUlcxjbf"
    "JOd5l3WvXSgu3eVlAjRnP7NEVz58bL8hM+zzt5Wby3xA/v1OXW+OJAVmOLY/kDHKvbTwHV"
    "8WoBV7k+GTfWrTPQ2nNNkeLmwDxl2YDidVKhkyglj0IrTq9I6zXZFRtmVzxhQQGMStlFKa"
    "Umu+sZ2UUQSuTvWhdnnS/qHMIOya7TzhvauNjZHy5tHPjuhlZPazZWr4vVc1jGOetTmWSM"
    "L/jcGdFYTye8mmfMzwKvgk/IjfXwcA8/k1ekGQGwQqYxQnMd2Qjp+OUIRzAzUIqriEctE5"
    "+hD8V+DA/MQzmVcESesicdn8O1tEPBA7/4Nq2EC4UePus6rYZlfCbLGI2RsuxCJP5Sa97X"
    "Ixlf7O7ZHV/gWTcf+sJXxuz+osm6AVz2vpjimyZf+cqYNhHUGeXNdlHNyqkOJzLrprliSJ"
    "utr3pNShCEVLwQZEGlzoRsnXZp4KOqgHAkfoDonhwflyG5j4+LWW6oy5BOnCmSlyZazLIu"
    "qDQca0WOtQIHsP3J7Nv/AOIaEGA="
)
