from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "server_wait" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "rank" INT NOT NULL,
    "job_id" INT NOT NULL REFERENCES "provision_job" ("id") ON DELETE CASCADE,
    "server_id" INT NOT NULL REFERENCES "server" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_server_wait_server__070b85" UNIQUE ("server_id", "rank", "job_id")
) /* servers that jobs wait for */;
CREATE INDEX IF NOT EXISTS "idx_server_wait_job_id_b14916" ON "server_wait" ("job_id");
        INSERT INTO "server_wait" ("server_id", "rank", "job_id")
            SELECT h."server_id", -j."priority", j."id" FROM "provision_job" j JOIN "job_host" h ON h."job_id" = j."id"
            WHERE j."status" = 'PENDING' AND j."admitted_at" IS NULL AND h."server_id" IS NOT NULL;"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS "server_wait";"""


MODELS_STATE = (
    "eJztXVtz2zYW/isYvTSZcT22cvMmT3KiJG4dO7WVTds0Q0MkJGFFAQoIWlG7+e+LA5LiRS"
    "RFyrJMafHSxsA5FPgdEDhX4J/WhDvE9Q5/4f3uLWGy9RL902J4QtQ/lvoOUAtPp3EPNEjc"
    "dzXxf3jfIguyvicFtuFxA+x6RDU5xLMFnUrKGZBrUg/xAVKM+kkOtxUTZUPovmQEaZJDdO"
    "ORbzfI5j7QDwSfoGM0o3LEfYmGeOq9QjdTPHc5dm4Q9dAv15cXSJLv8gB5lNkEfeSeHApy"
    "/dv5T+r3ZiygEGTge8RDF5/OD/9if7Eblw8tlzKiHyJHBB3/3McecRA0wjihTRGh2YgIgi"
    "gM3pdTNYg+GVLmHaABFyh8LTnCEo3wLQlpDuEFfUa/+cSSfEjUs4R6zS9fADboU+/Y+vpV"
    "/YMyh3wnHnTCn9OxNaDEdVJyoQ6w6HZLzqe67ZQOz5h8q2kBzL5lc9efsJh+OleYsQUDDS"
    "Q1JIwILAn8ghQ+SIr5rhtKNRJeMPSYJBhlgschA+y7IG/gDgYQt7Us6+KyZ113e5bVWpoL"
    "EUdC/mGTzRnMIzVUTwMwhCH8/K92+8mTF+2jJ89Pnj198eLZydGJotXjXe568SMYTIxW8C"
    "iN2dm7s4seDIiryRpMY2j4oXmwxAGXFkaMPohqCf5C7EPq1eBHUJehHzXE8Mdf1/bwbx8/"
    "ffH05MnzpwvYFy1laEfIxkhiuQzkGwWHpBOSj2bAkQHTCVkOo3/sILQluPXOPnSve50PH+"
    "HxE8/75mqcOr0u9LR16zzT+uj54/S0XjwEfT7rvUfwJ/rz8qKr4QwWSC9F1/uzBWPCvuQW"
    "4zMLO0lMouaoKSXWscJwWbCvR1jkCzWiz4hVwbODgmxN8HfLJWwoR+rP4+clgv135+r1+8"
    "7Vo+OssC7CnrbuSn8zIyWsOuBG9GuBGy7uzcT2SbsCtk/ahdhCVxrbSAWot7smudZa5puG"
    "8hZ32Rj7UIVbhr6nVLl84BMse7F0lO0B3d97qeU/msaPPnR+f5zaAs4vL95F5Ilp//r88j"
    "QDOWjseapk4UyPGYw6E05h0NEH41w9MdTs09i+5YLQIfuVzDXEZ2pAWBkpOZiGxtdHwW+p"
    "p97sl+BxO4bxj2gORa3xeifwbGHbJKaWgkC9OJHBvta5ft15021pnPvYHs+wcKwU4NDD2z"
    "zTsqBd7pq0J9kWzPBQYwMvAUOOLd/3sH/mG8Xvw6213CaONuDVJrEgSmSeEi3yiLglotw6"
    "zlIDMVftiuEQ9ZStKvgMrE+X3pLAoA3olFnMQ/uUepKLOVJTcO6p52EHxq2tYeDXFjeMAi"
    "tzt8M8qjoDC/oVPG6OJlzZt7MRdYl+vPphJHwwhDFzdIsgNp6qn9UGMZloA3nIubPSGtaY"
    "Zc3hL63gBYAA6L7Wso//X4zjOxpnxWbvVhXPpi1j9615BjPb0n/WwDjDtodQP39aAernTw"
    "uhhq401HxcY3EIiLen7RxlQT166AUhBs4eYQa7ZHX0EhwGQmgZYLVZ1kEwZjAA6iVtTKfT"
    "WggmOAyE0OIzpempLxNerzqMGS4DZUsr7J7t15qNCQ4DoX7tIVMWcS19PeYwEOpd1heCMG"
    "lJ7OWoNsXKY5Zv/zzE7WfPKmiPiqpQfdR9mRnLLG3X5jiJOXcJZgXTNsGWQbqv+O5r4i5a"
    "kmDn+x824ac8vbw8T/kpT8+yjshPH067V4+ONeSKiMoCh7DxTm5YdQpsxVqQpnj2KLZhXL"
    "474PJdnrwbwPZ68aDdmrhVQU19sSlc1Qgg2en8oXzp53z4euSzcSvHmb7oOyjzpkOg1V6Q"
    "rXSnQ65Wfy5JsRu9A/5q6F2QQraZxELeoEfwt+obeEQ+hpQw6ihlicr5AeLCIUI7uZUK5X"
    "HxCt0MqPBknD4Wpo6tzvqC3zJ5X02KSJfkfWlh1RLAgmWfNJItJwbEn1Y97NN8RgBrCwA+"
    "iDzoGRbzfOgjjqydAyvsDsJehiBkVRwk7B1lOZ6eXXSu/shPzIjokyl3p3/0up0M5mRCpc"
    "LHqp8hmeY0mZKNzpQ0Nq4xx5piOTQzAycFfo7lkBVOsfUwjSitcFqstiCKc28Cs4HrNByb"
    "TomyGwZEzaIbNBR85un6FAQBE2S7mE5eIoxmgkplNugerNhdB2kWsBdGWExc4nlFBsNyJo"
    "zE0tdjUyJTvV9awTjyW/Kow+Qhqz8va1/mtAXB8f4CrSYNZ5tpOLFUq/r5Yw6TH1IhP0SQ"
    "YJmoB3HMY0CuAHK8rixD3GX+ZGlrzprVIXeTwW4FhYJRaiS8i7O0nTxMEQmklfiCWGot94"
    "pm+moxLD+lwSFEJY35QhZEPdpB2EPdq6vLq3VksvkUwIna/5UOtCyM4gKIBEuDkW9s/QP5"
    "TqVC06mTB5PiMRGxvCxBYo+tSS6qpQHyNONDh8i34DraXKjcoYNBTbQjFoNzDZwlHuboLH"
    "CcQD7IEX3WC0dtif6LXOrtos+mBGpAonyVzi7IB2mfGjwgu0pDAqdVF/kUk4H/DvAr5UNg"
    "6xaLWvinue4kgIbtl1uf/sQWRBYIoCwIk2FcMxazO+jfVygGwiTcl5bCk4cGXEVdMYfTeO"
    "3zSr8F5YLKeQ1okywPmAXcUECzXtzqbqw0X5O9K41xZVGHTKZcEmbPrTGphXcO60bs+Id1"
    "gN9/CraOm9RYLRb0ZqnILhUzLsZ5iZXFkzbm2AefU8bT2j6p4mptnxT7WqEv4xEB56lrrb"
    "soF7DvH/ibX5qxs3YaTYZ1A3k0DcN+n9JoXOwze7SWnDOsRs5NlrOyZ8Xc4oN6OVMZLuO0"
    "z7PAOMgpx7h963JcaIPFTBlQB8C1e7CWYPbm8tPpeRd9vOq+Prs+C/08i49Dd6a9x1fdzn"
    "nWlQZnw1r6WJ06Eac0l6l5XYDiWR79u2ZWeIZxp9Hcch44lN9Mhc/W22ezzGanbfJOq8WF"
    "lVq+JOZiQyXJs3/Wyb04MgCy+mtYkmtvPBrbXswoI0VbcSn2KT6D/nrop5OI6+wjac49LG"
    "9pwTmMl8ydhwvijuwq4dpduqnoasi1pJ7mNKpDk1UHnVu5TuFags9IuGkSXqqyKi4Hylpp"
    "ORtsyPf21yviYpmfOJ9z+cyOLeVFlVepzwWOSb07RNFRxPuIkD7y4Y4QJQ+Y2EeMXG7fFa"
    "LgZJRz9aB9BWmG6V0/tQCkz+pB+wTSfRZwhgfu5JRuxkfxFBdtxuf+rK7WDA9Nb2Ww0AWb"
    "8RHpUAKifs+lthb1IbpRJoU+2gW7N2jE1TtpGsJsMZ8Gx6tDIp0+74V6iBF4kDfiM1axWt"
    "PUR26zPrLuEdqbPTu7QZk3mw+nmxPg79cbOOV55wsV50Dy/TtbaHOnHHv1spoi+j2cq5sv"
    "VVTWYUFkYHXRaMTbZKDVyjVDkutj4SjLKhSVEsk2XrIbayl5DuviMoA0n6kCWLMK4BYLCm"
    "DUqoJJMZkqpDtUwYAqkZ9dXVwdneTZh3jktsujYTi2tIqhLy0wzeHeYq1ppHYnxbBQxRtc"
    "YUrhxq2pMjfraS8ZtgbP9vBQDBxcJ4YG3Fdm9Uc93nX22Xs64X2BpqUHuEY0o+gZJrLRtM"
    "iGiUtX++72Ny7tT501pZ7mNFJvitRzPvaFo7t2FDO6xHNrUbpmLvDlsZX8Axrqh1Z6eLiD"
    "n4kJP20t/JSOeRbDeclIj6v/bDjwuSvf5lpROo1BYaQuQmhVtM6KBFM5ZIdGapCoPy++7D"
    "i6ujgiDC86Du4xph6KyvV0lI5xiQaUYbfycarl1wk/zM05DYst3XPYTuIxYWtoYEm+PdS/"
    "dlffWlazzWHnd/+ElhRYc9j5gx92vvqWqkgXqSiDyndUNWuLqIp98RVV+fBvIP0IrIpCvS"
    "Y0OVaqNTKkW6nVgC0EqUZlCUmKJjpBPiB7FRwXD+2gzzBEGaS9cjGHI+X9afFdUvGsgxFm"
    "L5P60grHHZKZ49q3rNcM6zjyQ/ImB8cbk4XQELX8oVG+X61i+xcvNg3g+9rWtnaFSsJpVL"
    "gHRi6llZvgLCKsbNtrEx0MewS8aMBFiYUfUGP0sXvx5uzinbbxGSGOpw17hxNPW/eQpovm"
    "RB6iG4HZWN+5GJ7t/pOHosMBUZ+4fIb+JoJX2T3hSfD/hTOghovA3Mz4kDczRpKruAlE5G"
    "b9N9du7+m12/uIqtFStqOlZFYD41R6CKfS5tS/z/q8zi6TYp6n/yW7SxXA+NzP1bpfQJvv"
    "+Qj6IIhDpdLm1GiUFjfiE7LQ4iZYjME5Av2w5yOHCmKDK+SlUgM56G6Kxh5RBrRzNMK34F"
    "AZE6bZ9SOrRX4K9TlTRbT5E1GL9TeQfh20I3rjJqniJnF5XtpBsfIR0RvFI0edA5O25uWA"
    "CRYzYatM2OYcE9M06PcpHDwiSlh9guUags7yGlE3TtQ1Ui3vU/vtEEHtUZ7iG/aU6rw4pl"
    "ml8xYL1pwQ0KyQnNnCt1FEAx9VDYRD8j1E9/joqIoFdXRUbEFBX6YamDNJ8s6uLC5GTbCY"
    "UtSapagPupn9+B/rKGW/"
)
