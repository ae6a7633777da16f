from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "job_event" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "seq" INT NOT NULL,
    "at" TIMESTAMP NOT NULL,
    "kind" VARCHAR(16) NOT NULL,
    "host" VARCHAR(32),
    "log_line" BIGINT,
    "payload" TEXT NOT NULL,
    "job_id" INT NOT NULL REFERENCES "provision_job" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_job_event_job_id_3ca21e" UNIQUE ("job_id", "seq")
) /* events of jobs */;
        CREATE TABLE IF NOT EXISTS "server_lock" (
    "taken_at" TIMESTAMP NOT NULL,
    "job_id" INT NOT NULL REFERENCES "provision_job" ("id") ON DELETE CASCADE,
    "server_id" INT NOT NULL PRIMARY KEY REFERENCES "server" ("id") ON DELETE CASCADE
) /* servers held by jobs */;
CREATE INDEX IF NOT EXISTS "idx_server_lock_job_id_35c5eb" ON "server_lock" ("job_id");
        ALTER TABLE "job_host" ADD "skipped" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "ok" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "unreachable" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "ignored" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "rescued" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "current_task" VARCHAR(255);
        ALTER TABLE "job_host" ADD "in_recap" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "failed" INT NOT NULL DEFAULT 0;
        ALTER TABLE "job_host" ADD "changed" INT NOT NULL DEFAULT 0;
        ALTER TABLE "provision_job" ADD "events_size" BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE "provision_job" ADD "launched_at" TIMESTAMP;
        ALTER TABLE "provision_job" ADD "event_count" INT NOT NULL DEFAULT 0;
        ALTER TABLE "provision_job" ADD "admitted_at" TIMESTAMP;
        ALTER TABLE "provision_job" ADD "retry_of_id" INT;
        ALTER TABLE "provision_job" ADD "progress" REAL;
        ALTER TABLE "provision_job" ADD "log_pruned_at" TIMESTAMP;
        ALTER TABLE "server" ADD "strict_host_key" INT NOT NULL DEFAULT 1;
        INSERT INTO "server_lock" ("server_id", "job_id", "taken_at")
            SELECT h."server_id", MIN(j."id"), MIN(COALESCE(j."started_at", j."created_at"))
            FROM "job_host" h JOIN "provision_job" j ON j."id" = h."job_id"
            WHERE j."status" = 'RUNNING' AND h."server_id" IS NOT NULL GROUP BY h."server_id";
        UPDATE "provision_job" SET "admitted_at" = COALESCE("started_at", "created_at"),
            "launched_at" = COALESCE("started_at", "created_at") WHERE "status" = 'RUNNING';"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "job_host" DROP COLUMN "skipped";
        ALTER TABLE "job_host" DROP COLUMN "ok";
        ALTER TABLE "job_host" DROP COLUMN "unreachable";
        ALTER TABLE "job_host" DROP COLUMN "ignored";
        ALTER TABLE "job_host" DROP COLUMN "rescued";
        ALTER TABLE "job_host" DROP COLUMN "current_task";
        ALTER TABLE "job_host" DROP COLUMN "in_recap";
        ALTER TABLE "job_host" DROP COLUMN "failed";
        ALTER TABLE "job_host" DROP COLUMN "changed";
        ALTER TABLE "provision_job" DROP COLUMN "events_size";
        ALTER TABLE "provision_job" DROP COLUMN "launched_at";
        ALTER TABLE "provision_job" DROP COLUMN "event_count";
        ALTER TABLE "provision_job" DROP COLUMN "admitted_at";
        ALTER TABLE "provision_job" DROP COLUMN "retry_of_id";
        ALTER TABLE "provision_job" DROP COLUMN "progress";
        ALTER TABLE "provision_job" DROP COLUMN "log_pruned_at";
        ALTER TABLE "server" DROP COLUMN "strict_host_key";
        DROP TABLE IF EXISTS "server_lock";
        DROP TABLE IF EXISTS "job_event";"""


MODELS_STATE = (
    "eJztXW132jgW/is6fNn0nExOQtIkO/1EUjpNJw3dhO7OTKfHEbYALUaishzKzva/r65s4x"
    "dsgwkQ4/WXnka6j5CfK0v3Xl3JfzXG3CK2c/SB99pPhMnGz+ivBsNjov6zUHeIGngyCWug"
    "QOKerYX/zXsGmYv1HCmwCc31se0QVWQRxxR0IilnIK5FHcT7SAF1SxY3FYiyAVR3GEFa5A"
    "g9OuTbIzK5C/J9wcfoBE2pHHJXogGeOG/Q4wTPbI6tR0Qd9OGhc4ck+S4PkUOZSdAn7siB"
    "IA//uP2b+r0p8yQE6bsOcdDd59ujP9mf7NHmA8OmjOhG5JCgk5962CEWgkLoJ5QpITQdEk"
    "EQhc67cqI60SMDypxD1OcC+Y8lh1iiIX4ivswRPKDL6DeXGJIPiGpLqMf88gVogzr1jI2v"
    "X9V/KLPId+JAJfw5GRl9SmwrphdqAUSXG3I20WVXdHDD5DstC2T2DJPb7piF8pOZ4ozNAd"
    "TT1IAwIrAk8AtSuKAp5tq2r9VAeV7XQxGvlxGMRfrYtUHfgPY6EJY1DOOu0zUe2l3DaCyM"
    "hQAR0b9fZHIG40h11dEEDKALP/292Tw9vWgen55fvj67uHh9eXypZHV/F6sufnidCdnymt"
    "Kc3fxyc9eFDnE1WL1hDAU/NAZL7KG0MkL2QVUL9Gdy70svJz+gOo/9oCCkP3y7dsd/8+Ts"
    "4uzy9PxsTvu8JI/tgNmQSSwXiXyr6JB0TNLZ9BAJMi0fchT8Zw+pzeGte/Ox/dBtffwEzY"
    "8d55uteWp121DT1KWzROnB+av4sJ43gv51032P4E/0R+euren0JkgnJtf9owF9wq7kBuNT"
    "A1tRToLioCim1pHicFGx10Ms0pUayCfUqujZQ0U2xvi7YRM2kEP158l5jmL/2bq/ft+6Pz"
    "hJKuvOr2nqqvg7M1TKKkJuIL8Wuf7kXk5uT5srcHvazOQWquLcBiZAsdU1ilprmi8byztc"
    "ZUPufRNukfquMuXSiY9AKjF15K0B7d+6sek/GMYHH1u/vYotAbedu18C8ciwv77tXCUoB4"
    "s9zZTMHOkhoDZn/CEMNnp/lGon+pZ9nNt3XBA6YL+Smab4RnUIKyclhVPf+fok+BN11JN9"
    "8JrbM45/BGMoKA3nO4Gnc98mMrQUBerBifTWtdbDdettu6F57mFzNMXCMmKEQw1v8kTJXH"
    "axatwcJ0swwwPNDTwEdDn0fN/D+pnuFL/3l9Z8nzhYgJe7xIIolTlKtcgh4omIfO84KQ3C"
    "XJUrwBHqKl9V8Cl4nzZ9Ip5D68kpt5j7/il1JBczpIbgzFHtYQv6rb1hwGuPG3qBlbvbYg"
    "5VlZ4H/Qaam6ExV/7tdEhtoptXP4yEC44wZpYuEcTEE/Wz2iEmY+0gDzi3lnrDmrOkO/yl"
    "4T0ACIDc10L+8f+Lc/xM5yzb7d2p4Vm2aWzblqc3sg39ZwGOE7AKUn1+tgLV52eZVENVnG"
    "o+KjA5eMK7s3aOk6Qev/SEEBJnDjGDVXJ19iKImkIo6WO1WBZhMATUBOopbUQnk0IMRhA1"
    "hVDiMmXpqTcTHm91GhOomsqGNtgd0y00GiOImkL92AOmPOJC9nqIqCnUq6wrBGHSkNhJMW"
    "2yjcckrnoR4ubr1ytYj0oq03zUdYkRywzt16YEiTm3CWYZwzYCSzDdU7htDdx5SZTs9PjD"
    "JuKUV53ObSxOeXWTDER+/njVvj840ZQrISozAsJ1dHLDppPnKxaiNIap0N5GHfLdg5Dv4u"
    "DdALcP84b2a+CuSmrsjY3xqnoAyU63LxVLv+WD66HLRo2UYPq87jAvmg4breZcbGk4HXK1"
    "ejNJssPoLYhXQ+1cFLLNJBbyER3A36qu7xD5ClLCqKWMJSpnh4gLiwgd5FYmlMPFG/TYp8"
    "KRYfqYnzq2POsLfqvO+yrTjnRO3pdWViEFzCFVskh2nBgQvlrFuI/jagWsrQB4IdKoZ1jM"
    "0qkPEEk/B2bYPaQ9j0HIqjiM+DvKc7y6uWvd/56emBHIR1Purn7vtlsJzsmYSsWPUTxDMo"
    "6sMyVLnSlZ+7i1O1YWz6GcGTgx8lM8h6Rysr2HSSBp+MNiuQeRnXvjuQ1cp+GYdEKU39An"
    "ahQ9ooHgU0efT0GwYYJMG9PxzwijqaBSuQ26Biu4bSENAX9hiMXYJo6T5TAsZsJILF3dN6"
    "UyVful4fUjXuInCBm9WbTcFASHKwSU1ok0u0ykCTW1aqQ+RNQZHitkeAjivejFKA4xNckr"
    "kBzOQIsUt5k7Xlhck46xjy4z2Q3vqF+Q3AjPYi0sCC9zDAQSQ1xBDDWXO1kjfbkaFlsp8S"
    "ag0sZsrguimrYQdlD7/r5zv45ONp/EN1YruLJiFpWRfYQhAikx86U9wUC+U6nYtIpkssQw"
    "9Z5WWp4fMUfGOJXV3C3uOPClN7l3EPzZ3Ga3Rfv9gmwHkJrnAjxLPEixWeBCgHSSA/lkHI"
    "2aEv0X2dTZx6hLDtXARP4snZyQD+NRMWggOUtDCqZRlPkYqKb/GfQr40Ng4wmLQvzHUc9S"
    "QMnWy50Pf2IKIjMUkLeNkgCuuZuyP+xvazMFNjq4Kw3FJ/cduBVtxRRkHXdPO7wtKBdUzg"
    "pQG4W8YB5vSQlNxm5XD2PFcWWOrpQmlEUtMp5wSZg5M0akEN8p0I348S8bAN9+ErXe+Sgw"
    "W8zl66kiOVVMuRilpUZmD9oQUYWYUyLS2rxcJdTavMyOtUJdIiICwVPbWHdSzoBXj/zNT8"
    "3YWjsRJgHdQCZMybivUiKMjV1mDtfScwJa67nMelb+rJgZvF8s6ymBqoP2aR4YBz2lOLfv"
    "bI4zfbAQlCC1D6j9ozWHs7edz1e3bfTpvn1983Djx3nmL4eujEeP79ut22QoDW53NfTFOE"
    "V2nOKo+tTqnBTHcOh/CuZ1J4B7zeaOM7nhAM1EuGy9dTYJrlfaMq+0Wl1YmeULas52VKKY"
    "6nknWwlkAGXF57AoqjIRjV1PZpSRrKU4l/sYrmZ/PfbjScRF1pE4soIHVBpwk2KH2TN/Qt"
    "yTVcWfu3MXFX2ecS2tx5G16VBm00HnVq5z9CyCqzVcNg0vnJPKPtCT9NJSFlgf9+7Xe2Jj"
    "mZ44n/L5mD2byrPOTsVeF7jo9PkUBZcJV5EhfWnDMymKXhFRRY5sbj6XIu9uk1vVUJVI2u"
    "bpQv82mJRzheE9MdknCsNLaZYfJfRv9G4kuNCnCcP7u+F0g/o9m5pa1UfoUVnL+t4RbD+i"
    "IVfPpGUIM8Vs4t39DTli+jIS6iBGoCFnyKdsxaOE9dG/XR79K3q/82Yvdi5RUsnmd4rr68"
    "m3G+ia8LTLb7LT+3j1Lr7Z3BW8TrGEnUC+gmN186fwlOOTEfRefh4ywJaZaDVzTZHk+s4y"
    "ypIGxUo5Uhs/jRpaKWmx2OwM9ziuTnBfM8H9CQsKZBQ64BED1QdsnnHAA0yJ9MTh7IO/UU"
    "wVttp2ffIXumNKI5v63LOTKegdHqMMzO6oGuameIkPT9Z7PtkLbHX3fNyJtabW48ha62XR"
    "esoWwTzSVniHIPjE3c4i4OVc+PKDu+mHn4vHdrt4sIevyWZCu/FQeTabHUa6XP2z4Xj5vg"
    "y7tSLgmoPMKHjA0LJIuBEoZuVwOBqqTqLeLPsrl8E3KwNB/wuX3gcsqYOCUx46As64RH3l"
    "btor36OX/x3Jl/lkQsnitlsOiUs8ImwN4yKKq6Bpsb+mxKIFWd9y+/xXaME2q2+5ffFbbp"
    "d/niSwRVbUwcofJynXErEq99nfJkmnfwNb+2AwZ9o1vjW91KyRvtxSqwbMfNjGz9vsVzLB"
    "1cGe2BvvnmAoB3uGIcogWwo+zD0Q3J1kf0QkHHXQw2d9RaTe2X+2GTMosqPni29rn+nlNv"
    "a39mnslzbCq21D7P77WmUjeFuL2M5uym8RQc1h2mrn1+QudTiUWbbMZVNap5uVa1ECI6Tg"
    "PegRSJmTIMqUGQUvVQGGffEKsntyfLxKYsnxcXZmCdQlNh05kyTtjF92ZkMEUuc1FMxrKL"
    "AHtPnF7Mf/ACFOr/o="
)
