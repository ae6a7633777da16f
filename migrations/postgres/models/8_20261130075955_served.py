from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "job_event" DROP COLUMN "host";
        ALTER TABLE "job_host" ADD "served" BOOL;
        UPDATE "job_host" SET "served" = ("failed" = 0 AND "unreachable" = 0) WHERE "in_recap";
        ALTER TABLE "job_host" DROP COLUMN "in_recap";"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "job_host" ADD "in_recap" BOOL NOT NULL DEFAULT False;
        UPDATE "job_host" SET "in_recap" = ("served" IS NOT NULL);
        ALTER TABLE "job_host" DROP COLUMN "served";
        ALTER TABLE "job_event" ADD "host" VARCHAR(32);"""


MODELS_STATE = (
    "eJztXVt32zYS/is4emlyjutjK9dNnuRESZ06dmorm7ZpDg2RkIQVBSggaEXt5r8vBiRFkS"
    "IpUpEliouXNgZmKPAbEHPBDPBPa8Id4nrH73i/e0eYbL1A/7QYnhD1j5W+I9TC02ncAw0S"
    "911N/B/et8iCrO9JgW143AC7HlFNDvFsQaeScgbkmtRDfIAUo36Sw23FRNkQuq8YQZrkGN"
    "165OstsrkP9APBJ+gUzagccV+iIZ56L9HtFM9djp1bRD307ubqEknyTR4hjzKboA/ck0NB"
    "bn67+En93owFFIIMfI946PLjxfFf7C926/Kh5VJG9EPkiKDTn/vYIw6CRhgntCkiNBsRQR"
    "CFwftyqgbRJ0PKvCM04AKFryVHWKIRviMhzTG8oM/oV59Ykg+JepZQr/n5M8AGfeodW1++"
    "qH9Q5pBvxINO+HM6tgaUuE5CLtQBFt1uyflUt53R4TmTbzQtgNm3bO76ExbTT+cKM7ZgoI"
    "GkhoQRgSWBX5DCB0kx33VDqUbCC4YekwSjXOJxyAD7LsgbuIMBxG0ty7q86lk33Z5ltVbm"
    "QsSxJP+wyeYM5pEaqqcBGMIQfv5Xu/3o0bP2yaOnz588fvbsyfOT54pWj3e169n3YDAxWs"
    "GjNGbnb88vezAgriZrMI2h4bvmwRIHXFoYMfogqhX4c7EPqdeDH0FdhH7UEMMff127w799"
    "+vjZ4+ePnj5ewL5oKUI7QjZGEstVIF8rOCSdkGw0A44UmE7Ichz94wChLcCtd/6+e9PrvP"
    "8Aj5943ldX49TpdaGnrVvnqdYHTx8mp/XiIejTee8XBH+iP68uuxrOYIH0EnS9P1swJuxL"
    "bjE+s7CzjEnUHDUlxDpWGK4K9tUIi2yhRvQpsSp4DlCQrQn+ZrmEDeVI/Xn6tECw/+5cv/"
    "qlc/3gNC2sy7CnrbuS30ykpqppgGWujZaicJmvDco71AQx9qGZsQp9T5kb2cAvsTRiehet"
    "U93fe4klKprGD953fn+YWKYuri7fRuRL0/7VxdVZCnKwKrPMndyZHjMYlRtOYbAjB+NMWy"
    "a0PpPYvuGC0CH7lcw1xOdqQFgZ0hmYhg7CB8HvqKfe7F3wuAPD+Hs0h6LWeL0TeLawv5em"
    "loJAvTiRgWLr3LzqvO62NM59bI9nWDhWAnDo4W2ealnQrnZN2pN0C2Z4qLGBl4Ahx97ZL0"
    "qBt7IdN911tM5vG0VUa902QZTIPCVa5BFxR0SxB5emBmKu2hXDMeopf0rwGXhILr0jgdMV"
    "0CnXjYc+FPUkF3OkpuDcU8/DDoxbe2zAr71CGAVWLlmHeVR1Bl7eS3jcHE248sFmI+oS/X"
    "j1w0j44Kxh5ugWQWw8VT+rnTYy0U7ckHNnrcemMUu7bJ9bwQsAAdB9qeTD/b84cD/oQOS7"
    "ZtE8Lmt5RvSNUM1Jy/NRu4Tl+aida3lCV1IVBzPb0n9WwDjF1kConz4uAfXTx7lQQ1cSaj"
    "6usDgExLuzdk7SoJ7se0GIgbNHmIGWLI/eEoeBEFoGWCnLKgjGDAZAvaSN6XRaCcElDgMh"
    "tPhMWXrqy4TXKw9jistA2dIGu2f7lWbjEoeBUL/2kCmPuJK9HnMYCLWW9YUgTFoSexmmTb"
    "7xmObbyHqsW+wyYTy2nzwpYT0qqlzzUfdlmOpZm4ScuwSzAkM9a872FdfhwVwU7b26ukhE"
    "Ks/O06HIj+/PutcPTjXoiojKnJCwiU9u2XgKvMVKkCZ4GrS7YYK+BxD0XZ28W8D2ZvGgw5"
    "q4ZUFNfLEJXNUIICXnYl/R9As+fDXy2biVEU5f9B0VxdNhq9VekK0NqENGUX8uSX4gvQMR"
    "a+hdkEJOlMRC3qIH8LfqG3hEPoTEJeooc4nK+RHiwiFCh7mVEeVx8RLdDqjwZJzkFCY4rc"
    "9Ngt8y2Ul12pMuyE7SwqokgAVLkyySHacGxJ9WNeyTfEYAGwsAPogs6BkW82zoI460twMr"
    "7AHCXoQg5FUcLfk7ync8O7/sXP+RnZoR0S8nhp390et2UpiTCZUKH6t6Hl+S0+Tz1Tqfz/"
    "i4xh2ri+dQzxycBPgZnkNaOPnewzSitMJpsd6DyM++CdwGrhNxbDolym8YEDWLbtFQ8Jmn"
    "qygQbJkg28V08gJhNBNUKrdB92DF7jpIs4C/MMJi4hLPy3MYVnNhJJa+HpsSmer93ArGkd"
    "2SRR2mD1n9eVH7KqctCI71C7SaRJxdJuLEUi0b6Y85TIZIiQwRQYJlohrEMY8BuQTI8bqy"
    "CnGX+ZMV1Zx2q0PuOoPdCsrZouRIeBdnRZ3sp9QBEkt8QSy1lnt5M329GFafUuNNRCWN+U"
    "IWRD3aQdhD3evrq+tNZLL9JMCJ0v/KBloVRn4JxBJLjZGvbQUE+UalQtOpkgmT4DE7Yll5"
    "gsQeW5NMVAs3yZOMm22Ub7SyL1oOdqvcoYNBRbQjFoNzBZwlHmbYLO+U8ssGOaJPR+GoLd"
    "F/kUu9Q4zZFEAN5f/Fq3TxggzZmlZVkBNMBulySCuTQmDrDotKUCe5fgjrmmnB+5zUxBZE"
    "5mBdtIuSYtxwM+VwgL6vvRTY5+C+tBSePPTAShp7GZwm7J5VvS0oF1TOK0C7zLLHRN6aAp"
    "oOw5aPQyX56hweqU0sijpkMuWSMHtujUklvDNYt+KI7zeCff9Z1Hrjo8JqsaA3S0V6qZhx"
    "Mc7KjMyftDFHE4JGqVBp+3mZWGn7eX6wFPpSIQ2IfrrWpotyDnvzwN/+0oydjfNgUqxbSI"
    "SpGfZNyoNxsc/s0UZyTrEaOddZzsqfFXOLD6olPaW4TNQ9ywPjIKcM5/aNy3GuDxYzpUAd"
    "ANfhwVqA2eurj2cXXfThuvvq/OY8DOksPg7dmQz/Xnc7F+moGRxBaumTcapsGSW5TNnqAh"
    "TP8ujfFdO6U4wHjeaOE7mhfmYqfLaZnk0zG01bZ02rxYWVWb4i5nxHZZmned7JvQQyALLq"
    "a9gyV2MiGrtezCgjeaq4EPsEn0F/M/STWcBV9EiSs4H1KS04SvGKufNwQTwQrRKu3YVKRZ"
    "czbiT1JKcxHepsOujkyE0qz5b4jITrJuGVMqn8ep60l5ahYEO+N79eExfL7Mz3jDtODmwp"
    "zyudSnwucNLpj0MUnSbcRIT0mQ0/CNHyCRFNxMjl9o9CFBxtcqEe1FSQZpj+6KcWgPRJPa"
    "hJIN1vBSYEfXLLL6POo+LaSx04qlR4GZxSDqePDzkjwbHiEzwP7n5yyUCiAXVJdn0m1HjM"
    "1MIcHIM+wl74DOX1UVdXgQSb4MFvCMwQlZpMEDjW3NF3UDlUEBuOSA9usYodl/AeK8UZ3l"
    "2lfu5FUNipHsN4nztzJPE4PHh98Rwgx4xDUSeC+j44I0afik5zb7FaKfyMQ3D5dZd7rypv"
    "dAGmcX0bayMnd9Q2DJRvO0huhLw3R+g+1Wp4EF2GTo2PqMtXqPF5eOuVaXidSKaijC8PAU"
    "2lfs+ltragjhEoPH3kGXZv0Yird9I0hNliPg0uHoH8dK2XlT5kBB7kjfiMlVRm5tyAXaqt"
    "qpdLbPdWiRoltG4/S83cjXK/m2xTnnXuXn5pAW/emXvbO//fq5YsHNE3cK5uv4Rf2Ro5G+"
    "7rD1OIeOsMtFq5ZkhyfVwqZWmDolR+9taPsoitlKx94PzquiSfKa7bsLjuDgsKYFSqI00w"
    "mZLdcnWkYDVk1yflHxCyzNOEjJ5dnxACw7GllQ998bUPq9w7PG4hsrCXxbCwumt8yAKFay"
    "enyrOsZqik2Go828NzoXBwpyYacF950B/0eDdRqfdici+haekBbhAIy3uGyQ2oW0jMZHaV"
    "++6am9nlT50NpZ7kNFKvi9QzPvbFVnHlPKDoJuud5bnUc4Evzk7IPrioenJCDw8P8DMxCR"
    "w7S+BIZg3lw3nFSI+r/2w5dehQvs2NNuQ0BrmbchFC6zbmrEgwpXfn0EgNEvXn2RcVxVt1"
    "RwtCHua56EQU6qGo4F1vyDEO6TEMu6UTSyA3Jz+lZD+Xx9VsG+med+ggY4htYIEt8zXQ/j"
    "pce2vVzN57Zta+bWlz30cj7/tYf1FjZIuUlEHpaxrrpSLKYp9/S2M2/FvINAKvIteuCV2O"
    "tWaNDOnWWjXgC0FWUVHukaKJLlEJyF4GN6ZAO9gzDFEGhSOQOTsU3J/mX6cYzzoYYfo+xc"
    "+tcNwhmbmxZMd2zbBKID8kr/M+eG0SDmpilu8b5fu1KnZ/93DdAL4vtbbjZFsdNMrVgVFI"
    "aa0SnEWEpX177aLrmhbghZKPAg8/rHtBH7qXr88v32ofnxHieNqxdzjxtHcPGbloTuQxuh"
    "WYjcOaFB0S+MlD0fG6qE9cPkN/E8HLaE94Evx/EQyoECIwlxPv83LiSHIllUBEbtb/jAwE"
    "46VvF09jpRgr5bCslNRqYIJK+wgqbc/8+6SLfbtMinmW/bfcXWgAxidnr7f9AtrsyEdYfN"
    "yf6zpjGI2y4kZ8QhZW3ASLMQRHdB2y0vlxEfGLRQnxBNsjykhcFK03AjS7fmS5nZ9ce84U"
    "DG3/TPF8+w2kXwXtiN6EScqESVyelXaQb3xE9MbwyDDnwKWteD/uEouZsGUmbH0OWqsb9E"
    "3aDh4RJaw+wXIDQad5jahrJ+qanDTQIYLaoyzDN+wptHlxTLPO5s0XrDkMoF5bckaF76KI"
    "Bj6qCgiH5A1E9/TkpIwHdXKS70FBX6rwlzNJsk5/hkLLnAqVmMVUneZVnaaUHzzgLCv0uE"
    "tl9v1/lZhAxw=="
)
