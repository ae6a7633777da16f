from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "provision_job" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "recipe" VARCHAR(64) NOT NULL,
    "revision" VARCHAR(64) NOT NULL,
    "status" VARCHAR(16) NOT NULL,
    "failure_reason" VARCHAR(32),
    "message" TEXT,
    "exit_code" INT,
    "check_mode" BOOL NOT NULL,
    "diff" BOOL NOT NULL,
    "tags" JSONB NOT NULL,
    "skip_tags" JSONB NOT NULL,
    "extra_vars" JSONB,
    "secret_vars" BYTEA,
    "timeout_seconds" INT NOT NULL,
    "priority" INT NOT NULL,
    "requested_by" VARCHAR(64) NOT NULL,
    "idempotency_key" VARCHAR(255) UNIQUE,
    "fence" INT NOT NULL,
    "worker" VARCHAR(128),
    "log_path" VARCHAR(255),
    "log_size" BIGINT NOT NULL,
    "line_count" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "started_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ
);
CREATE INDEX IF NOT EXISTS "idx_provision_j_status_2f1c09" ON "provision_job" ("status", "id");
CREATE INDEX IF NOT EXISTS "idx_provision_j_recipe_85bfda" ON "provision_job" ("recipe", "id");
CREATE INDEX IF NOT EXISTS "idx_provision_j_request_5fd4a4" ON "provision_job" ("requested_by", "id");
CREATE INDEX IF NOT EXISTS "idx_provision_j_created_c4c269" ON "provision_job" ("created_at", "id");
COMMENT ON COLUMN "provision_job"."status" IS 'where the job stands';
COMMENT ON COLUMN "provision_job"."failure_reason" IS 'why the job ended as ERROR';
COMMENT ON TABLE "provision_job" IS 'jobs';
CREATE TABLE IF NOT EXISTS "log_chunk" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "start" BIGINT NOT NULL,
    "first_line" BIGINT NOT NULL,
    "data" BYTEA NOT NULL,
    "emitted_at" TIMESTAMPTZ NOT NULL,
    "job_id" INT NOT NULL REFERENCES "provision_job" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_log_chunk_job_id_51a735" UNIQUE ("job_id", "start")
);
COMMENT ON TABLE "log_chunk" IS 'log bytes of jobs';
CREATE TABLE IF NOT EXISTS "server" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "name" VARCHAR(64) NOT NULL UNIQUE,
    "host" VARCHAR(255) NOT NULL,
    "port" INT NOT NULL,
    "user" VARCHAR(32) NOT NULL,
    "auth" VARCHAR(16) NOT NULL,
    "credential" BYTEA,
    "variables" JSONB NOT NULL,
    "host_key" TEXT,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL
);
COMMENT ON COLUMN "server"."auth" IS 'how to log in';
COMMENT ON TABLE "server" IS 'servers';
CREATE TABLE IF NOT EXISTS "job_host" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "host" VARCHAR(32) NOT NULL,
    "server_name" VARCHAR(64) NOT NULL,
    "job_id" INT NOT NULL REFERENCES "provision_job" ("id") ON DELETE CASCADE,
    "server_id" INT REFERENCES "server" ("id") ON DELETE SET NULL,
    CONSTRAINT "uid_job_host_job_id_5e7196" UNIQUE ("job_id", "host")
);
CREATE INDEX IF NOT EXISTS "idx_job_host_server__ef0317" ON "job_host" ("server_id", "job_id");
COMMENT ON TABLE "job_host" IS 'requested servers of jobs';
CREATE TABLE IF NOT EXISTS "server_tag" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "tag" VARCHAR(32) NOT NULL,
    "server_id" INT NOT NULL REFERENCES "server" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_server_tag_server__37f8a2" UNIQUE ("server_id", "tag")
);
CREATE INDEX IF NOT EXISTS "idx_server_tag_tag_2fe08d" ON "server_tag" ("tag");
COMMENT ON TABLE "server_tag" IS 'tags of servers';
CREATE TABLE IF NOT EXISTS "aerich" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSONB NOT NULL
);"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        """


MODELS_STATE = (
    "eJztXG1z2jgQ/isaf+rNtJmEpEmu94mktE2bhE7CvbSdjiNsATqM5EpyKNfrfz9JtjEyNt"
    "iEEMP5G0i7svysvFo9WumHNaIu8vjee9p9R7mwXoEfFoEjJH+kq54DC/p+UqEKBOx6WvZv"
    "2rUHsVSXCwYd1VgPehzJIhdxh2FfYEqUNEPfAsQFcgFH7B4xDmgPyCZ0my51pD4mfSXZJg"
    "ikpZUwleVSYQ90BlKAjgENhIfvEQdCFoRyzwGn8i8UYIC5oGwCuIATLtuDrur3nnpaQLBs"
    "3Ra0j6Qmk8/88kW9jarTL/T1q/yFiYu+Ix7Whq0rASWn6/2h3cPIcw38sKtkdLktJr4uuy"
    "DijRZUL9q1HeoFI5II+xMxoGQqjYkGtI8IYlACIMsECxSgJPC8CPsY4/BNEpGwzzM6LurB"
    "wFNmUdphB5Iyy7av2x37ttWxbWvOZLHGjG2iIocSZW7ZVa7fvq+68KJxcHRydHp4fHQqRX"
    "Q3pyUnP8NHJ8CEihqe6471U9dDAUMJDXoCajzITFjPB5Bl4xrLp5CVXU4jG+O4CNq4IME2"
    "GeGbAHcEv9seIn0xkH8PGwuQ/KN5c/6uefPssPGLeiCVH2T4pV5HNQ1dpcBOwA1Htq3/ls"
    "A4pbaDUB8fFYD6+CgXalVlQq0cZikHkSgsdxLbgO9a/MTc0C0FqaGzEqqRZ90lUNV01htm"
    "+t5oWjTRfUMZwn3yAU00yBeyQ5A4WY4giic+MnqPuXyz92FzWzZwf8ajKC5NhgGD42kYMP"
    "O9SgjkiyMRetHm7XnzdcvKGLxrwPZ22tB2DdyioBpfrIGr7AG4/v3y0tIDuAud4Rgy1zZG"
    "sqqhDZoqmcrOV40ao3QJJLCv8VEvorodIX9J++eDgAytjAh6WrcwhPZo33amYktjaCkOuh"
    "OB8mPnJmABUbVT0T1wJ0cQE3fgmfov63ociV8A5gC7iAgsJs8BZa6MsSFxgRMwTtlv4K6H"
    "GRe2hwm6U7IHL7qQI3dp/KyfNRdAl4qXz3D//xIy/9poHB6eNPYPj09fHp2cvDzdn7rv+a"
    "pFfvzs4q1y5UYosjywDo1VygBTlV2KSDZihgT25NMqh72pVxtgZQOoDyILegLZJBv6WCMF"
    "uvawWwj7IgQv22eq5RHn3zwrXOqcXVw3bz49u2r+pVc7o0lUddm+fhvL+3LR3We6IevsU6"
    "fVTGGORlhIfGyY4XBeS+QEHqFs7E3NlAXcSHUv/rFb1uhcXLVuO82rj4ZJXjc7LVXTMKwR"
    "lz47Tq1Jp42APy8674D6Cz63r1tps03lOp9VrGrBQFCb0LEN3VlM4uK4qF7j1suxSq4cli"
    "3HnmbVYICfsXJIGyd/9eDHknY0LJavIPIJ93DZQDX37mAfyXVDD8lRdAf6jI45GGMxAAg6"
    "A+B4EI9eAQjGDAu5bNA1UKp7LtAqar0wgGzkIc7zFgzzDLuAItB9kyaTtV+ssB9mSbQrYH"
    "cns+UOQzCZIVRpTdBvkqBPLFWUPk40aua4AHPMUPihl4M40alBLgBy4oHmIW6RYDQ3uaYX"
    "xpF2lcG2xtL/Ir1hKqcCtTlK3LkJoQj8B8cF4D9IR6IJ/KoqtSqG2AsYsqUv53kjfbkZ5l"
    "tZyRyb4UqlNSZTWyDZtAsgB62bm/bNKjZZ/+bgSM7gMoqZN0YHfc+ZM2dUKoz8WtZmrb86"
    "xrIsRjJ7oRyLzyB/rtbOqWXydywkmm4G5rlhiqFT72nN8z3OADlDe5SJ6hmlHoIkG1lTMU"
    "3+SM3H8uzTkg2TP+32pTGkzy7SY/b3q7OW9Ox6fEshLPI4NtzrlUQ7VqlxLoGzgP2MmOX9"
    "bfs6G+RYPs2jYUeAf4GH+TayLgugVkgs9tJph/zcZMVUA2kvzYfYt8sibyjV8D8Afhl8MG"
    "jfQ1YKf1PrQQao2Hy58eGPHIZEjgEWbaOkFFfcTdke9B9rM0VtdNBA2BJPGi3gCsaKGZo1"
    "754xrfoMU4bFpAS0syqbw3R/SwBNc7fFaSxTr8rsSmWoLOyikU8FIs7EHqJSeGeormUd/7"
    "QEuIF34+XLAoBLqVzEdV2KvkIRHVXQW0zla1eRdhVjyoZZqZH5gzbR2AXOKcW0Nk6LUK2N"
    "03yuVdWZEKvEQx/K9kuAPKuzezA/ilNQkHH8T8k8r1mtnfEOG07xUllyEtKAlMxvNPVq9F"
    "dD39yQL5PsZWruYLKXpY4itok3iRziliR/Rb57Ye6Xzg1eyeqm5hqsXrGpZkuMXCjDT+9T"
    "rpLGOaNXW7hqFp7LOcxPjjMP5mYxgJHamw83yIMiOwdl/qT5ljnyvCzE1M5jQIYPhGj2KN"
    "GuYPSYCZbRgbiM1MrkqFx+UmVyLm95NmV0k4GVwkInVCb3FqgED/k8Dzva0HvgTgY5+ugV"
    "9O7AgMp30jKIOGzih3ceKJpcn8fCHBCkGuIDOiYFsynr7MdNZj+WPTq/3jPzFeLV1s9j1j"
    "c/PC4/4dOs83/5Oxx0987+rY21DHg5zjKW38Gxuv5ERBmv5nCVy1NCY90qAy091xgIqo9t"
    "Y5IOKJ4mITeJUrIotPxNflOv3uNfcY//HjKswCiV42Io1TlGD8hxUaFE9t5pfu7zrM4u7J"
    "BsOvm5po3znf3u0saB765odVOztnpVrJ7BMk5Zn9IkY3zN5MaIxmo64cU8Y3Yuchl8Qm6s"
    "A/tb+Jk8Ic2oAMtlGiM0l5GNKim8GOGozKwoxUXEo5SJT3KHYr+Fx7ZVOebqoDYm9zI+V5"
    "ej9hkN/Pw7nRIuVPXwQZc61SzjA1nGaIwUZRci8cda8z4dyfhoN6Bu+BrJqvnQR764ZPPX"
    "HVYN4KK3luTfd/jEF5c0EcPOIGu2i2oWTnUwkVk2zeVDWm99VWtSUkFIyWspZlSqTMhWaZ"
    "dGfVQlEI7EdxDdg/39IiT3/n4+y63qUqQTJQJlpYnms6wzKjXHWpJjLcEBrH8y+/kfv0CV"
    "4g=="
)
