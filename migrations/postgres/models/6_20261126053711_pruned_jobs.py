from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "pruned_job" (
    "job_id" INT NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMPTZ NOT NULL,
    "pruned_at" TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS "idx_pruned_job_pruned__53e1b9" ON "pruned_job" ("pruned_at");
COMMENT ON TABLE "pruned_job" IS 'jobs that are gone, and may have left files';
        ALTER TABLE "provision_job" ALTER COLUMN "tags" TYPE JSON USING "tags"::JSON,
            ALTER COLUMN "skip_tags" TYPE JSON USING "skip_tags"::JSON,
            ALTER COLUMN "extra_vars" TYPE JSON USING "extra_vars"::JSON;
        ALTER TABLE "server" ALTER COLUMN "variables" TYPE JSON USING "variables"::JSON;"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS "pruned_job";
        ALTER TABLE "provision_job" ALTER COLUMN "tags" TYPE JSONB USING "tags"::JSONB,
            ALTER COLUMN "skip_tags" TYPE JSONB USING "skip_tags"::JSONB,
            ALTER COLUMN "extra_vars" TYPE JSONB USING "extra_vars"::JSONB;
        ALTER TABLE "server" ALTER COLUMN "variables" TYPE JSONB USING "variables"::JSONB;"""


MODELS_STATE = (
    "eJztXVlz2zgS/isovWxS5XHZsuN4kyfZUSbOOFbGVnaOTIqGSEjCigIUELSinc1/XzRIio"
    "dIilR0UFq+pGKgmwK/BtEHuoG/G2NuEds5fs977SfCZOMV+rvB8Jio/yz0HaEGnkzCHmiQ"
    "uGdr4n/znkHmZD1HCmzC4/rYdohqsohjCjqRlDMg16QO4n2kGPWTLG4qJsoG0N1hBGmSY/"
    "TokK+PyOQu0PcFH6NTNKVyyF2JBnjivEaPEzyzObYeEXXQ+4fOHZLkmzxCDmUmQR+5IweC"
    "PPx6+w/1e1PmUQjSdx3ioLtPt8d/sb/Yo80Hhk0Z0Q+RQ4JOf+phh1gIGmGc0KaI0HRIBE"
    "EUBu/KiRpEjwwoc45Qnwvkv5YcYomG+In4NMfwgi6jX11iSD4g6llCvebnzwAb9Kl3bHz5"
    "ov5DmUW+EQc64c/JyOhTYlsxuVALWHS7IWcT3XZFBzdMvtW0AGbPMLntjllIP5kpzNicgX"
    "qSGhBGBJYEfkEKFyTFXNv2pRoIzxt6SOKNMsJjkT52bZA3cHsDCNsahnHX6RoP7a5hNBbm"
    "QsARkb/fZHIG80gN1dEADGAIP/2z2Tw7e9k8Obu4fHH+8uWLy5NLRavHu9j18rs3mBAt71"
    "Eas5ufb+66MCCuJqs3jaHhu+bBEntcWhgh+iCqBfgzsfepl4MfQJ2HftAQwh9+XdvDv3l6"
    "/vL88uzifA77vCUP7QDZEEksF4F8o+CQdEzS0fQ4EmBaPstx8J89hDYHt+7Nh/ZDt/XhIz"
    "x+7DhfbY1Tq9uGnqZunSVan108j0/r+UPQbzfddwj+RH927toaTm+BdGJ03T8bMCbsSm4w"
    "PjWwFcUkaA6aYmIdKQwXBXs9xCJdqAF9QqwKnj0UZGOMvxk2YQM5VH+eXuQI9l+t++t3rf"
    "tnp0lh3fk9Td0V/2aGSlhlwA3oVwLXX9yrie1ZswC2Z81MbKErjm1gApTTrlGulZb5qqG8"
    "RS0bYu+bcIvQd5Uplw58hOUglo48HdD+vRtb/oNp/OxD6/fnMRVw27n7OSCPTPvr285VAn"
    "Kw2NNMycyZHjLU5ow/hcFG749S7UTfso9j+5YLQgfsFzLTEN+oAWHlpKRg6jtfHwV/oo56"
    "s/fe4/YM4+/BHApaw/VO4Onct4lMLQWBenEiPb3WerhuvWk3NM49bI6mWFhGDHDo4U2eaJ"
    "nTLnaNm+NkC2Z4oLGBl4Ahh57vO9Cf6U7xO1+15vvEgQJe7hILokTmKNEih4gnIvK94yQ1"
    "EHPVrhiOUVf5qoJPwfu06RPxHFqPTrnF3PdPqSO5mCE1BWeOeh62YNzaGwZ+7XHDKLByd1"
    "vMoarT86Bfw+NmaMyVfzsdUpvox6sfRsIFRxgzS7cIYuKJ+lntEJOxdpAHnFtLvWGNWdId"
    "/tzwXgAIgO5LKf/4/8U5/kHnLNvt3arhWbVlbNOWpzezDf1nCYwTbAcI9cV5AagvzjOhhq"
    "441HxUYnHwiLdn7ZwkQT3Z9YIQAmcOMQMtWRy9CEcNIbT0sVKWZRAMGWoA9ZI2opNJKQQj"
    "HDWE0OIyZempLxNerziMCa4ayoY22B3TLTUbIxw1hPq1B0x5xKXs9ZCjhlBrWVcIwqQhsZ"
    "Ni2mQbj0m+w4sQN1+8KGA9KqpM81H3JWYsM7RfmxIk5twmmGVM2whbAume4tvUxJ23RMFO"
    "jz+sI0551encxuKUVzfJQOSnD1ft+2enGnJFRGVGQLiOTq7ZdPJ8xVKQxngOaG+jDvnuQc"
    "h3cfKuAduH+YP2a+IWBTX2xcZwVSOAZKfbXcXSb/ngeuiyUSMlmD7vO8qLpsNGqzknWxpO"
    "h1yt3kyS7DB6C+LV0DsnhWwziYV8RM/gb9XXd4h8Dilh1FLGEpWzI8SFRYQOcisTyuHiNX"
    "rsU+HIMH3MTx1bnvUFv1XnfVVpRzon70sLq5QA5iyHZJFsOTEg/LTKYR/nqwWwsgDgg0iD"
    "nmExS4c+4Ej6ObDC7iHseQhCVsVRxN9RnuPVzV3r/o/0xIyAPppyd/VHt91KYE7GVCp8jP"
    "IZknHOOlOy0pmStY9bu2NV8RyqmYETAz/Fc0gKJ9t7mASUhj8tlnsQ2bk3ntvAdRqOSSdE"
    "+Q19ombRIxoIPnV0fQqCDRNk2piOXyGMpoJK5TboHqzYbQtpFvAXhliMbeI4WQ7DYiaMxN"
    "LVY1MiU72fG9440lvSqP3kIaM3y2tf5DQFwaF+gdY6DWebaTihVIvG+UOOOj+kQH6IIN4y"
    "UQ7ikKcGuQDI4bqyCHGbueMF1Zx0q33uKoPd8AoFg9RIeBdrQZ3spogE0kpcQQy1ljtZM3"
    "25GBafUuEtRCWN2VwWRD3aQthB7fv7zv0qMll/CuBY6X9lAy0KI7sAIsJSYeQrW/9AvlGp"
    "0LTK5MHEeOodsbQsQWKOjHEqqrkb5HHGXW+RbyF0tL6tcov2+yXRDlhqnEvgLPEgxWZ5r5"
    "RfOsgBfTIKR02J/ots6uxjzCYHajhYIX+Vzl+QIVfTKAtyjKlGuhjSyqQQ2HjCohTUca4f"
    "wrpiWnCTk5qYgsgMrPN2URKMK26m7A/Qm9pLgX0O7kpD4cl9D6ygsZfCWYfd02q3BeWCyl"
    "kJaKMsO0zjrSigyTBs8ThUnK/K4ZHKxKKoRcYTLgkzZ8aIlMI7hXUtjvhuI9ibz6HWGx8l"
    "Vos5fb1UJJeKKRejtMzI7EkbchxC0CgRKm1eFomVNi+zg6XQlwhpQPTTNlZdlDPYDw/89S"
    "/N2Fo5DybBuoZEmIphf0h5MDZ2mTlcSc4J1lrOVZaz8mfFzOD9cklPCa466p7mgXGQU4pz"
    "+9bmONMHC5kSoPaBa/9gzcHsTefT1W0bfbxvX9883PghnfnHoTvj4d/7dus2GTWDw10NfS"
    "5OmS2jOFddtDoHxTEc+p+Sad0Jxr1Gc8uJ3FA/MxEuW03PJplrTVtlTavFhZVZviDmbEcl"
    "ynN43slGAhkAWfk1LMp1MBGNbS9mlJEsVZyLfYyvRn819ONZwGX0SJzzAOtTGnCQYofZM3"
    "9B3BOt4q/duUpFlzOuJPU4Z206VNl00MmRq1SeRfhqCVdNwgtlUtn1PEkvLUXB+nxvf7kn"
    "Npbpme8pt8fs2VKeVToV+1zgnNMfhyg4S/gQEdJnNvwgRNETIg4RI5ubPwqRd7TJrXrQIY"
    "G02eJCiGdkVhYGnUf5ZYU6JlKqptA7fhuO1R5wRrzzssd45l0YZZO+RH1qk/TSQyhfmKo1"
    "xzvfe4gd/xnKoaG2LnDw9ne93xCYISo1mSBwXrelL66yqCAmnP3tXX0V2uT+5VeK07/wSv"
    "3cK69mUT2G8R63ZkjikX+i+Pw5QI4Zh3pFBKVrcPyJPu6bZl59tVDTGEaXsksKd14wfdC1"
    "hbVXd7DmX3yzaMUY8Lrjv7WQd2bjb1Kt+mespejU8PS1bIUaHvW2XJn692SkKsrwVgzQVO"
    "r3bGpqC+oYgcLTp3lh+xENuXonTUOYKWYT70YNSL3WelnpQ0bgQc6QT1lBZVaXxG9TbZW9"
    "NWG91yVUKFdz/QlY9aUfm90/mvC0I+Wys+b54R0nt76D7Z1yebAB/QHO1fVXpytbI2Mvef"
    "k5AQFvlYFWK9cUSa5PAqUsaVAUSj1e+ykNoZWStsWZXTgW56vrxlasG3vCggIYpUokY0x1"
    "NWqxEkmwGtJLb7LPvojyHEKyyrYPv4DhmNLIhj73+IAU7i2eJBBY2FExzK3uCp8fQOE+xY"
    "nyLMsZKgm2Cs92/8gj7F0WifrcVR70Rz3eVVTqhu7vmKNp6AGuEAjLeka97V21kFidtFTs"
    "uzvcpCV3Yq0o9ThnLfWqSD3lY59vFZdOcQmuaN5aCkc1F/j87IT0M3nKJyd08WAPP5P15C"
    "bEcz2y0eww0uXqnzUnfOzLtFtpr0ljkLnfFCC0bM/JCARTeOMJDdUgUW+WfUt7cOd6QOjf"
    "0O7lWFAHBWXKeq+Jccj8YNgunDORfw/6bq78qtgOyYY3nyAZhq1gXET5DtC02F9TYtGC3H"
    "nS0a7NxPqWhoO8pWH59XqBLVJQBoUv16uWiiiKffbdeunwryGJBgzmTLvGt6aXmjXSp1tq"
    "1YCZDwkzeWk1iia4+sIje+3dcwHtYM8wRBmk+0NS6EBwd5J9CV4462CEyVvwPjf8cftk9T"
    "0TW7ZrBmVi1D55lbd4K7OXXhGzfNcob9aq2P6NsVUDeFNqbWt5pL/pQoY2k2KWpgSj3blq"
    "MDzwbrkK9GjTVZ9fWKG8eKihgNEco8chHxO/aoKgMRYj0I66xkKtrGGBxKt5ecRYaUvKSF"
    "jwoT1Bza4fWcz1z1SGdTLk+o8CzNaSIP0yaAf0tZ4soidtnhaWz9aRAX2tH1OSD8CiL3mt"
    "VYSlnrBFJmx1zkeoGvSHFA8cEiWsHsFyBUEneWtRV07UFamiahFBzWGa4ev35Nq8OKRZZv"
    "NmC7YudKpWTKZW4dtIEISPqgTCPvkBont6clLEgzo5yfagoC9R1MCZJGmHtkESeUb2XchS"
    "Z9RnZdQnlB884CotQrZNZfb9f+zNtwo="
)
