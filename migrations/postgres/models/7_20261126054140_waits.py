from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "server_wait" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "rank" INT NOT NULL,
    "job_id" INT NOT NULL REFERENCES "provision_job" ("id") ON DELETE CASCADE,
    "server_id" INT NOT NULL REFERENCES "server" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_server_wait_server__070b85" UNIQUE ("server_id", "rank", "job_id")
);
CREATE INDEX IF NOT EXISTS "idx_server_wait_job_id_b14916" ON "server_wait" ("job_id");
COMMENT ON TABLE "server_wait" IS 'servers that jobs wait for';
        INSERT INTO "server_wait" ("server_id", "rank", "job_id")
            SELECT h."server_id", -j."priority", j."id" FROM "provision_job" j JOIN "job_host" h ON h."job_id" = j."id"
            WHERE j."status" = 'PENDING' AND j."admitted_at" IS NULL AND h."server_id" IS NOT NULL;"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS "server_wait";"""


MODELS_STATE = (
    "eJztXVt32zYS/is4eml6jutjK9dNnuREaZw6dmqr20vaQ0MkJGFFAQoIWlG7+e+LAW8iRV"
    "KkogulxUsbAzMU+A2IuWAG+Kc14Q5xvdP3vN99IEy2XqJ/WgxPiPrHUt8JauHpNOmBBon7"
    "rib+D+9bJCbre1JgGx43wK5HVJNDPFvQqaScAbkm9RAfIMWon+RwWzFRNoTuG0aQJjlF9x"
    "75fI9s7gP9QPAJOkczKkfcl2iIp94rdD/Fc5dj5x5RD72/u7lGknyRJ8ijzCboI/fkUJC7"
    "n6++U783YwGFIAPfIx66/uXq9E/2J7t3+dByKSP6IXJE0PkPfewRB0EjjBPaFBGajYggiM"
    "LgfTlVg+iTIWXeCRpwgcLXkiMs0Qg/kJDmFF7QZ/SzTyzJh0Q9S6jX/PQJYIM+9Y6tv/5S"
    "/6DMIV+IB53w53RsDShxnZRcqAMsut2S86luu6DDSybfaloAs2/Z3PUnLKGfzhVmLGagga"
    "SGhBGBJYFfkMIHSTHfdUOpRsILhp6QBKNc4HHIAPsuyBu4gwEkbS3Lur7pWXfdnmW1luZC"
    "xLEg/7DJ5gzmkRqqpwEYwhB++Fe7/fjx8/bZ42cvnj55/vzpi7MXilaPd7nr+ddgMAlawa"
    "M0Zpc/Xl73YEBcTdZgGkPDV82DJQ64tDAS9EFUS/AXYh9SrwY/groM/aghgT/5unaHf/v8"
    "yfMnLx4/exLDHreUoR0hmyCJ5TKQbxQckk5IPpoBRwZMJ2Q5jf5xgNCW4Na7/NC963U+fI"
    "THTzzvs6tx6vS60NPWrfNM66Nn36endfwQ9Otl7x2CP9EfN9ddDWewQHoput4fLRgT9iW3"
    "GJ9Z2FnEJGqOmlJiHSsMlwX7eoRFvlAj+oxYFTwHKMjWBH+xXMKGcqT+PH9WIth/d25fv+"
    "vcPjrPCus67GnrrvQ3M1LCqgNuRL8WuOHi3kxsH7crYPu4XYgtdKWxjUyAetp1kWutZb5p"
    "KO9QyybYhybcMvQ9ZcrlA7/AchRLR5kO6P7WSy3/0TR+9KHz2/cpFXB1c/1jRL4w7V9f3V"
    "xkIAeLPc+ULJzpCYMxZ8IpDDb6YJxrJ4aWfRrbt1wQOmQ/kbmG+FINCCsnJQfT0Pn6KPgD"
    "9dSbvQ8ed2AYf43mUNSarHcCz2LfZmFqKQjUixMZ6LXO3evOm25L49zH9niGhWOlAIce3u"
    "aZlph2uWvSnmRbMMNDjQ28BAw58Xzfgf7Md4rfhaq13CeOFPBql1gQJTJPiRZ5RDwQUe4d"
    "Z6mBmKt2xXCKespXFXwG3qdLH0jg0AZ0yi3moX9KPcnFHKkpOPfU87AD49beMPBrjxtGgZ"
    "W722EeVZ2BB/0KHjdHE67829mIukQ/Xv0wEj44wpg5ukUQG0/Vz2qHmEy0gzzk3FnpDWvM"
    "su7wp1bwAkAAdH/V8o//X5zjb3TOit3enRqeTVvGtm15BjPb0n/WwDjDdoRQP3tSAepnTw"
    "qhhq401HxcY3EIiHdn7ZxlQT3b94KQAGePMAMtWR29BQ4DIbQMsFKWdRBMGAyAekkb0+m0"
    "FoILHAZCaPGZsvTUlwmvVx3GDJeBsqUNds/2a83GBQ4DoX7tIVMecS17PeEwEGot6wtBmL"
    "Qk9nJMm2LjMct3fBHi9tOnFaxHRVVoPuq+zIxllvZrc4LEnLsEs4Jpu8CWQbqv+LY1ceOW"
    "RbDz4w+biFNe3NxcpeKUF5fZQOQvHy66t4/ONeSKiMqCgLCJTm7YdAp8xVqQpniOaG/DhH"
    "wPIOS7PHk3gO1d/KDDmrhVQU19sSlc1Qgg2elqX7H0Kz58PfLZuJUTTI/7Tsqi6bDRasdk"
    "K8PpkKvVn0tSHEbvQLwaemNSyDaTWMh79Aj+Vn0Dj8jvISWMOspYonJ+grhwiNBBbmVCeV"
    "y8QvcDKjyZpI+FqWOrs77gt0zeV5N2pEvyvrSwagkgZjkmi2THiQHJp1UP+zSfEcDaAoAP"
    "Ig96hsU8H/qII+vnwAp7gLCXIQhZFScL/o7yHC8urzu3v+cnZkT0iyl3F7/3up0M5mRCpc"
    "LHqp8hmeY0mZKNzpQ0Pq5xx5riOTQzAycFfo7nkBVOsfcwjSitcFqs9iCKc28Ct4HrNByb"
    "TonyGwZEzaJ7NBR85un6FAQbJsh2MZ28RBjNBJXKbdA9WLG7DtIs4C+MsJi4xPOKHIblTB"
    "iJpa/HpkSmej+1gnHkt+RRh8lDVn9e1r7MaQuCE/0CrSYNZ5dpOIlUq8b5Ew6TH1IhP0SQ"
    "YJmoB3HCY0CuAHKyrixD3GX+ZEk1Z93qkLvJYLeCQsEoNRLexVlSJ/spIoG0El8QS63lXt"
    "FMXy2G5ac0eAtRSWMey4KoRzsIe6h7e3tzu45MNp8COFH6X9lAy8IoLoBYYGkw8o2tfyBf"
    "qFRoOnXyYFI8ZkcsL0uQ2GNrkotq6QZ5mnHfW+Q7CB1tbqvcoYNBTbQjFoNzDZwlHubYLO"
    "+V8ssHOaLPRuGoLdF/kUu9Q4zZlEANByuUr9LlCzLkalp1QU4xGaSrIa1MCoGtByxqQZ3m"
    "+iasG6YFtzmpiS2ILMC6bBclw7jmZsrhAL2tvRTY5+C+tBSePPTAKhp7OZwm7J5Xuy0oF1"
    "TOa0C7yLLHNN6GApoNw1aPQ6X5mhweaUwsijpkMuWSMHtujUktvHNYN+KI7zeCvf0car3x"
    "UWO1iOnNUpFdKmZcjPMyI4snbcJxDEGjTKi0/aJKrLT9ojhYCn2ZkAZEP11r3UW5gP34wN"
    "/80oydtfNgMqwbSIRpGPbHlAfjYp/Zo7XknGE1cm6ynJU/K+YWH9RLespwmah7ngfGQU45"
    "zu1bl+NCHyxhyoA6AK7Dg7UEszc3v1xcddHH2+7ry7vLMKQTfxy6Mx3+ve12rrJRMzjc1d"
    "Ln4tTZMkpzmaLVGBTP8ujfNdO6M4wHjeaOE7mhfmYqfLaens0yG03bZE2rxYWVWb4k5mJH"
    "ZZHn+LyTrQQyALL6a9gi19FENHa9mFFGilRxKfYpPoP+euins4Dr6JE05xHWp7TgIMUb5s"
    "7DBfFAtEq4dpcqFV3OuJbU05zGdGiy6aCTI9epPFvgMxJumoSXyqSK63myXlqOgg353v50"
    "S1ws8zPfc26PObClvKh0KvW5wDmn3w5RdJbwMSKkz2z4RogWT4g4Roxcbn8rRMHRJlfqQc"
    "cK0gzTb/3UApB+VQ86JpC2W4EJQZ/C8suo86S89lIHjmoVXgZnlMPZ40POSHCo+ATPg1u1"
    "XDKQaEBdkl+fCTUeM7UwB4egj7AXPkN5fdTVVSDBJnjwGwIzRKUmEwQONXf07V4OFcSGA9"
    "KD+8ESxyW8IUxxhreCqZ97GRR2qscw3ufOHEk8Do9dj58D5JhxKOpEUN8HZ8ToM9Fp4f1g"
    "S4WfSQiuuO5y71XlR12AaVzfo7WR0ztqawbKNx0kN0LemyO0TbUaHkSXo1OTI+qKFWpyHt"
    "5qZRpeJpKrKJOrQ0BTqd9zqa0tqFMECk8feYbdezTi6p00DWG2mE+Da0cgP13rZaUPGYEH"
    "eSM+YxWVmTk3YJdqq+7VEpu9U6JBCa2bz1IzN6Nsd5NtyvPO3SsuLeDHd+be5k7/9+olC0"
    "f0RzhXN1/Cr2yNgg331YcpRLxNBlqtXDMkuT4ulbKsQVEpP3vjR1kkVkrePnBxdV2azxTX"
    "rVlc94AFBTBq1ZGmmEzJbrU6UrAa8uuTig8IWeQ5hoyeXZ8QAsOxpVUMfekZCzncOzxuIb"
    "KwF8UQW90NPmSBwqWTU+VZ1jNUMmwNnu3huVA4uFETDbivPOiPerzrqNQtXXISo2npAa4R"
    "CCt6hskNaFpIzGR2Vfvujjezy586a0o9zWmk3hSp53zs8VZx7Tyg6B7rneW5NHOBL89OyD"
    "+4qH5yQg8PD/AzMQkcO0vgSGcNFcN5w0iPq/9sOHXoUL7NtTbkNAaFm3IRQqs25qxIMJV3"
    "59BIDRL15/kXFSVbdScxIQ/zXHQiCvVQVPCuN+QYh/QYht3KiSWQm1OcUrKfy+Mato205R"
    "06yBhia1hgi3xHaH8drr21bGbvPTNr37a0ue/jKO/7WH1RY2SLVJRB5Wsam6UiqmJffEtj"
    "PvwbyDQCr6LQrgldjpVmjQzpVlo14AtBVlFZ7pGiiS5RCcheBTemQDvYMwxRBoUjkDk7FN"
    "yfFl+nmMw6GGH2PsVPrXDcIZm5sWTHds2wTiA/JG/yPnhjEg4aYpbvG+XtWhW7v3u4aQBv"
    "S63tONlWB40KdWAUUlqpBGcRYWXfXrvouqYFeKHko8TDD+te0Mfu9ZvL6x+1j88IcTzt2D"
    "uceNq7h4xcNCfyFN0LzMZhTYoOCXznoeh4XdQnLp+hv4ngVbQnPAn+HwcDaoQIzOXE+7yc"
    "OJJcRSUQkZv1PycDwXjpm8XTWCnGSjksKyWzGpig0j6CSpsz/37Vxb5dJsU8z/5b7C41AJ"
    "OTs1fbfgFtfuQjLD7uz3WdMYxGWXEjPiGxFTfBYgzBEV2HrHR+UkT8Mi4hnmB7RBlJiqL1"
    "RoBm14+stvNTaM+ZgqHNnylebL+B9OugHdGbMEmVMInL89IOio2PiN4YHjnmHLi0Ne/HXW"
    "AxE7bKhG3OQWtNg/6YtoNHRAmrT7BcQ9BZXiPqxom6IScNdIig9ijP8A17Sm1enNCssnmL"
    "BWsOA2jWlpxR4bsoooGPqgbCIfkRont+dlbFgzo7K/agoC9T+MuZJHmnP0OhZUGFSsJiqk"
    "6Lqk4zyg8ecJEXetylMvv6P7dPrxs="
)
