from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_server_tag_tag_2fe08d";
        CREATE INDEX "idx_provision_j_request_308279" ON "provision_job" ("requested_by", "status", "id");
        CREATE INDEX "idx_provision_j_recipe_1bcf1f" ON "provision_job" ("recipe", "status", "id");
        CREATE INDEX "idx_server_tag_tag_1c8ef5" ON "server_tag" ("tag", "server_id");"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_server_tag_tag_1c8ef5";
        DROP INDEX IF EXISTS "idx_provision_j_recipe_1bcf1f";
        DROP INDEX IF EXISTS "idx_provision_j_request_308279";
        CREATE INDEX "idx_server_tag_tag_2fe08d" ON "server_tag" ("tag");"""


MODELS_STATE = (
    "eJztXW132jgW/is6fNn0nExOQtIkO/1EUjpNJw3dhO7OTKfHEbYALUaishzKzva/r65s43"
    "eDCRDD+ktPI91HyM+VpXuvruS/GmNuEds5+sB77SfCZONn9FeD4TFR/0nVHaIGnkzCGiiQ"
    "uGdr4X/znkHmYj1HCmxCc31sO0QVWcQxBZ1IyhmIa1EH8T5SQN2SxU0FomwA1R1GkBY5Qo"
    "8O+faITO6CfF/wMTpBUyqH3JVogCfOG/Q4wTObY+sRUQd9eOjcIUm+y0PkUGYS9Ik7ciDI"
    "wz9u/6Z+b8o8CUH6rkMcdPf59uhP9id7tPnAsCkjuhE5JOjkpx52iIWgEPoJZUoITYdEEE"
    "Sh866cqE70yIAy5xD1uUD+Y8khlmiIn4gvcwQP6DL6zSWG5AOi2hLqMb98AdqgTj1j4+tX"
    "9R/KLPKdOFAJf05GRp8S24rphVoA0eWGnE102RUd3DD5TssCmT3D5LY7ZqH8ZKY4Y3MA9T"
    "Q1IIwILAn8ghQuaIq5tu1rNVCe1/VQxOtlBGORPnZt0DegvQ6EZQ3DuOt0jYd21zAaqbEQ"
    "ICL694tMzmAcqa46moABdOGnvzebp6cXzePT88vXZxcXry+PL5Ws7m+66uKH15mQLa8pzd"
    "nNLzd3XegQV4PVG8ZQ8ENjsMQeSisjZB9UlaI/l3tfejH5AdVF7AcFIf3h27U9/psnZxdn"
    "l6fnZ3Pa5yVFbAfMhkximSbyraJD0jHJZtNDJMi0fMhR8J8dpLaAt+7Nx/ZDt/XxEzQ/dp"
    "xvtuap1W1DTVOXzhKlB+ev4sN63gj61033PYI/0R+du7am05sgnZhc948G9Am7khuMTw1s"
    "RTkJioOimFpHisO0Yq+HWGQrNZBPqFXRs4OKbIzxd8MmbCCH6s+T8wLF/rN1f/2+dX9wkl"
    "TWnV/T1FXxd2aolFWG3EB+JXL9yb2a3J42l+D2tJnLLVTFuQ1MgHKraxS10jRfNZa3uMqG"
    "3PsmXJr6rjLlsomPQPZi6ihaA9q/dWPTfzCMDz62fnsVWwJuO3e/BOKRYX9927lKUA4We5"
    "YpmTvSQ0BtzvhDGGz0/ijTTvQt+zi377ggdMB+JTNN8Y3qEFZOSganvvP1SfAn6qgn++A1"
    "t2Mc/wjGUFAazncCT+e+TWRoKQrUgxPprWuth+vW23ZD89zD5miKhWXECIca3uSJkrlsum"
    "rcHCdLMMMDzQ08BHQ59Hzfw/qZ7RS/95fWYp84WIAXu8SCKJU5SrXIIeKJiGLvOCkNwlyV"
    "K8AR6ipfVfApeJ82fSKeQ+vJKbeY+/4pdSQXM6SG4MxR7WEL+q29YcBrjxt6gZW722IOVZ"
    "WeB/0GmpuhMVf+7XRIbaKbVz+MhAuOMGaWLhHExBP1s9ohJmPtIA84txZ6w5qzpDv8peE9"
    "AAiA3NdS/vH/i3P8TOcs3+3dquFZtWls05anN7IN/WcJjhOwPaT6/GwJqs/PcqmGqjjVfF"
    "RicvCEt2ftHCdJPX7pCSEkzhxiBqvk8uxFEDWFUNLHarEsw2AIqAnUU9qITialGIwgagqh"
    "xGXK0lNvJjze8jQmUDWVDW2wO6ZbajRGEDWF+rEHTHnEpez1EFFTqFdZVwjCpCGxk2Ha5B"
    "uPSdz+RYibr18vYT0qqVzzUdclRiwztF+bESTm3CaY5QzbCCzBdE/hNjVw5yVRsrPjD+uI"
    "U151OrexOOXVTTIQ+fnjVfv+4ERTroSozAkI19HJNZtOnq9YitIYZo/2NuqQ7w6EfNODdw"
    "3cPswb2q2BuyypsTc2xqvqASQ73b5ULP2WD66HLhs1MoLp87rDomg6bLSac7GF4XTI1erN"
    "JMkPo7cgXg21c1HINpNYyEd0AH+rur5D5CtICaOWMpaonB0iLiwidJBbmVAOF2/QY58KR4"
    "bpY37q2OKsL/itOu+rSjvSBXlfWlmlFDCH7JNFsuXEgPDVKsd9HFcrYGUFwAuRRT3DYpZN"
    "fYBI+jkww+4g7UUMQlbFYcTfUZ7j1c1d6/737MSMQD6acnf1e7fdSnBOxlQqfozyGZJxZJ"
    "0pWelMydrHrd2xqngO1czAiZGf4TkklZPvPUwCScMfFos9iPzcG89t4DoNx6QTovyGPlGj"
    "6BENBJ86+nwKgg0TZNqYjn9GGE0Flcpt0DVYwW0LaQj4C0MsxjZxnDyHIZ0JI7F0dd+Uyl"
    "Ttl4bXj+ySLGk/ecjozYrK00hTEByuL1Bap+FsMw0n1Oqycf4QUeeHLJEfIog3TZSjOMTU"
    "JC9BcjivpCluM3ecWpqTbrWPrjLZDe+gYJAaCc9ipZaTlzlEAmklriCGmsudvJG+WA3pVi"
    "q8hai0MZvrgqimLYQd1L6/79yvopP1pwCO1fqvbKC0MvIPQEQgFWa+sucfyHcqFZtWmTyY"
    "GKbeEcvKEiTmyBhnslq4QR4HvvQW+RZCR+vbKrdov1+S7QBS81yCZ4kHGTYLXCeQTXIgn4"
    "zCUVOi/yKbOrsYsymgGpgonqWTE/JhPKYGDSRnaUjgNMoyHwPV9D+DfmV8CGw8YVGK/zjq"
    "WQqo2Hq59eFPTEFkjgKKNmESwBX3YnaH/U1txcA2CXelofjkvgO3pK2Ygayj9llHvwXlgs"
    "pZCWqjkBfMAq4oocko7vJhrDiuytGVyoSyqEXGEy4JM2fGiJTiOwO6Fj/+ZQPgm0/B1vsm"
    "JWaLuXw9VSSniikXo6zEyvxBGyL2IeaUiLQ2L5cJtTYv82OtUJeIiEDw1DZWnZRz4PtH/v"
    "qnZmytnEaTgK4hj6Zi3O9TGo2NXWYOV9JzAlrrucp6Vv6smBm8Xy5nKoGqg/ZZHhgHPWU4"
    "t+9sjnN9sBCUILUPqN2jtYCzt53PV7dt9Om+fX3zcOPHeeYvh66MR4/v263bZCgN7oY19L"
    "U6ZXac4qj6zOucFMdw6H9KZoUngDvN5pbzwOH4zUS4bLV1NgmuV9oqr7RaXViZ5Sk15zsq"
    "Ucz+eScbCWQAZeXnsChqbyIa257MKCN5S3Eh9zFczf5q7MeTiMusI3HkHh5vacA9jB1mz/"
    "wJcUdWFX/uLlxU9GnIlbQeR9amQ5VNB51bucrBtQiu1nDVNJw6ZZV/HCjppWUssD7u3a/3"
    "xMYyO3E+4+MzOzaV5528ir0ucE3q8ykKriLeR4b0lQ/PpCh6wcQ+cmRz87kUeTej3KqG9o"
    "mkTZ5N9O+SyTiVGN4yk38eMbzSZvFBRP8+8EaCC30WMbz9G043qN+zqalVfYQelbWsby3B"
    "9iMacvVMWoYwU8wm3s3hkCOmrzKhDmIEGnKGfMqWPIhYH/3b5tG/srdDr/da6Aollax/p7"
    "i+3Hyzga4Jz7o6Jz+9j+/ftTnru8DXKZewE8jv4Vhd/yk85fjkBL0Xn4cMsFUmWs1cUyS5"
    "vvGMsqRBsVSO1NpPo4ZWSlYsNj/DPY6rE9xXTHB/woICGaUOeMRA9QGbZxzwAFMiO3E4/+"
    "BvFLMPW23bPvkL3TGlkU994dnJDPQWj1EGZndUDXNTvMKHJ+s9n/wFdn/3fNyJtaLW48ha"
    "61XResYWwTzSVnqHIPhA3tYi4NVc+IqDu9mHn8vHdrt4sIOvyXpCu/FQeT6bHUa6XP2z5n"
    "j5rgy7lSLgmoPcKHjA0KJIuBEoZulwOBqqTqLeLP8bmcEXLwNB//uY3ucvqYOCUx46As64"
    "RH3lbtpL38JX/BXKl/ngQsXithsOiUs8ImwF4yKK20PTYndNibQFWd+R+/xXKGWb1Xfkvv"
    "gduYs/bhLYIkvqYOlPm1RriViW+/wvm2TTv4atfTCYc+0a35peaNZIX26hVQNmPmzjF232"
    "K5ng4mFP7I13yzCUgz3DEGWQLQWf9R4I7k7yP0ESjjroYfpj236/fbH6lt8t2zWDMlt8vn"
    "iVN54qs8NXEbP8pVnerFWx/e91VY3gTS1rW7t5v0UENYdZ659fU7j44VBm0cKXT2mdgFat"
    "VQnMkpI3o0cge7g6bSRXCl6qEgz74nvI7snx8TKpJsfH+bkmUJfYhuRMkqxTf/m5DhFIne"
    "lQMtOhxK7Q+hezH/8DLenI2g=="
)
