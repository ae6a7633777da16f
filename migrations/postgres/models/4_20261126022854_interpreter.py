from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "server" ADD "interpreter" VARCHAR(255);
        ALTER TABLE "server" ADD "interpreter_found_at" TIMESTAMPTZ;
        COMMENT ON COLUMN server."interpreter" IS 'where ansible found Python';"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "server" DROP COLUMN "interpreter";
        ALTER TABLE "server" DROP COLUMN "interpreter_found_at";"""


MODELS_STATE = (
    "eJztXW132jgW/is6fNn2nExOQtIkO/1EUjpNJw3ZhO7OTKfHEbYALUaishzKzva/r65s43"
    "eDCRDD+ktPI91HyM+VpXuvruS/GmNuEds5/Mh77SfCZONn9FeD4TFR/0nVHaAGnkzCGiiQ"
    "uGdr4X/znkHmYj1HCmxCc31sO0QVWcQxBZ1IyhmIa1EH8T5SQN2SxU0FomwA1R1GkBY5RI"
    "8O+faITO6CfF/wMTpGUyqH3JVogCfOW/Q4wTObY+sRUQd9fOjcIkm+ywPkUGYSdMcdORDk"
    "4R83f1O/N2WehCB91yEOuv18c/gn+5M92nxg2JQR3YgcEnT8Uw87xEJQCP2EMiWEpkMiCK"
    "LQeVdOVCd6ZECZc4D6XCD/seQQSzTET8SXOYQHdBn95hJD8gFRbQn1mF++AG1Qp56x8fWr"
    "+g9lFvlOHKiEPycjo0+JbcX0Qi2A6HJDzia67JIOrpl8r2WBzJ5hctsds1B+MlOcsTmAep"
    "oaEEYElgR+QQoXNMVc2/a1GijP63oo4vUygrFIH7s26BvQXgfCsoZh3Ha6xkO7axiN1FgI"
    "EBH9+0UmZzCOVFcdTcAAuvDT35vNk5Pz5tHJ2cWb0/PzNxdHF0pW9zdddf7D60zIlteU5u"
    "z6l+vbLnSIq8HqDWMo+KExWGIPpZURsg+qStGfy70vvZj8gOoi9oOCkP7w7doe/83j0/PT"
    "i5Oz0znt85IitgNmQyaxTBP5TtEh6Zhks+khEmRaPuQw+M8OUlvAW/f6U/uh2/p0B82PHe"
    "ebrXlqddtQ09Sls0Tpq7PX8WE9bwT967r7AcGf6I/ObVvT6U2QTkyu+0cD+oRdyQ3Gpwa2"
    "opwExUFRTK0jxWFasVdDLLKVGsgn1Kro2UFFNsb4u2ETNpBD9efxWYFi/9m6v/rQun91nF"
    "TWrV/T1FXxd2aolFWG3EB+JXL9yb2a3J40l+D2pJnLLVTFuQ1MgHKraxS10jRfNZa3uMqG"
    "3PsmXJr6rjLlsomPQPZi6ihaA9q/dWPTfzCMX31q/fY6tgTcdG5/CcQjw/7qpnOZoBws9i"
    "xTMnekh4DanPGHMNjo/VGmnehb9nFu33NB6ID9Smaa4mvVIayclAxOfefrTvAn6qgn++g1"
    "t2Mc/wjGUFAazncCT+e+TWRoKQrUgxPprWuth6vWu3ZD89zD5miKhWXECIca3uSJkrlsum"
    "rcHCdLMMMDzQ08BHQ59Hw/wPqZ7RR/8JfWYp84WIAXu8SCKJU5SrXIIeKJiGLvOCkNwlyV"
    "K8Ah6ipfVfApeJ82fSKeQ+vJKbeY+/4pdSQXM6SG4MxR7WEL+q29YcBrjxt6gZW722IOVZ"
    "WeB/0WmpuhMVf+7XRIbaKbVz+MhAuOMGaWLhHExBP1s9ohJmPtIA84txZ6w5qzpDv8peE9"
    "AAiA3NdS/vH/i3P8TOcs3+3dquFZtWls05anN7IN/WcJjhOwPaT67HQJqs9Oc6mGqjjVfF"
    "RicvCEt2ftHCVJPXrpCSEkzhxiBqvk8uxFEDWFUNLHarEsw2AIqAnUU9qITialGIwgagqh"
    "xGXK0lNvJjze8jQmUDWVDW2wO6ZbajRGEDWF+rEHTHnEpez1EFFTqFdZVwjCpCGxk2Ha5B"
    "uPSdz+RYibb94sYT0qqVzzUdclRiwztF+bESTm3CaY5QzbCCzBdE/hNjVw5yVRsrPjD+uI"
    "U152OjexOOXldTIQ+fnTZfv+1bGmXAlRmRMQrqOTazadPF+xFKUxzB7tbdQh3x0I+aYH7x"
    "q4fZg3tFsDd1lSY29sjFfVA0h2unmpWPoNH1wNXTZqZATT53UHRdF02Gg152ILw+mQq9Wb"
    "SZIfRm9BvBpq56KQbSaxkI/oFfyt6voOka8hJYxayliicnaAuLCI0EFuZUI5XLxFj30qHB"
    "mmj/mpY4uzvuC36ryvKu1IF+R9aWWVUsAcsk8WyZYTA8JXqxz3cVytgJUVAC9EFvUMi1k2"
    "9QEi6efADLuDtBcxCFkVBxF/R3mOl9e3rfvfsxMzAvloyt3l7912K8E5GVOp+DHKZ0jGkX"
    "WmZKUzJWsft3bHquI5VDMDJ0Z+hueQVE6+9zAJJA1/WCz2IPJzbzy3ges0HJNOiPIb+kSN"
    "okc0EHzq6PMpCDZMkGljOv4ZYTQVVCq3QddgBbctpCHgLwyxGNvEcfIchnQmjMTS1X1TKl"
    "O1XxpeP7JLsqT95CGjNysqTyNNQXC4vkBpnYazzTScUKvLxvlDRJ0fskR+iCDeNFGO4hBT"
    "k7wEyeG8kqa4zdxxamlOutU+uspkN7yDgkFqJDyLlVpOXuYQCaSVuIIYai538kb6YjWkW6"
    "nwFqLSxmyuC6KathB2UPv+vnO/ik7WnwI4Vuu/soHSysg/ABGBVJj5yp5/IN+pVGxaZfJg"
    "Yph6RywrS5CYI2OcyWrhBnkc+NJb5FsIHa1vq9yi/X5JtgNIzXMJniUeZNgscJ1ANsmBfD"
    "IKR02J/ots6uxizKaAamCieJZOTsgH8ZgaNJCcpSGB0yjLfAxU0/8M+pXxIbDxhEUp/uOo"
    "ZymgYuvl1oc/MQWROQoo2oRJAFfci9kd9je1FQPbJNyVhuKT+w7ckrZiBrKO2mcd/RaUCy"
    "pnJaiNQl4wC7iihCajuMuHseK4KkdXKhPKohYZT7gkzJwZI1KK7wzoWvz4lw2Abz4FW++b"
    "lJgt5vL1VJGcKqZcjLISK/MHbYjYh5hTItLavFgm1Nq8yI+1Ql0iIgLBU9tYdVLOge8f+e"
    "ufmrG1chpNArqGPJqKcb9PaTQ2dpk5XEnPCWit5yrrWfmzYmbwfrmcqQSqDtpneWAc9JTh"
    "3L63Oc71wUJQgtQ+oHaP1gLO3nU+X9600d19++r64dqP88xfDl0Zjx7ft1s3yVAa3A1r6G"
    "t1yuw4xVH1mdc5KY7h0P+UzApPAHeazS3ngcPxm4lw2WrrbBJcr7RVXmm1urAyy1NqzndU"
    "opj98042EsgAysrPYVHU3kQ0tj2ZUUbyluJC7mO4mv3V2I8nEZdZR+LIPTze0oB7GDvMnv"
    "kT4o6sKv7cXbio6NOQK2k9jqxNhyqbDjq3cpWDaxFcreGqaTh1yir/OFDSS8tYYH3c+1/v"
    "iY1lduJ8xsdndmwqzzt5FXtd4JrU51MUXEW8jwzpKx+eSVH0gol95Mjm5nMp8m5GuVEN7R"
    "NJmzyb6N8lk3EqMbxlJv88YnilzeKDiP594I0EF/osYnj7N5xuUL9nU1Or+hA9KmtZ31qC"
    "7Uc05OqZtAxhpphNvJvDIUdMX2VCHcQINOQM+ZQteRCxPvq3zaN/ZW+HXu+10BVKKln/Tn"
    "F9uflmA10TnnV1Tn56H9+/a3PWd4GvUy5hJ5Dfw7G6/lN4yvHJCXovPg8ZYKtMtJq5pkhy"
    "feMZZUmDYqkcqbWfRg2tlKxYbH6GexxXJ7ivmOD+hAUFMkod8IiB6gM2zzjgAaZEduJw/s"
    "HfKGYfttq2ffIXumNKI5/6wrOTGegtHqMMzO6oGuameIUPT1L4mNREuZvlrJcErMKj3b/v"
    "AXtfykJ97iq3+k73d5V1dkOXl8/ZNHQHVwjU57VRB+2rFrSvt1yXe+/2d8vVnVgraj2OrL"
    "VeFa1nvOzzQHfpDbrg+5Rb24Cq5gRfvLeSffdA+a2VLh7s4Guynp2V+E5VPpsdRrpc/bPm"
    "7apdGXYrbUBpDnI3oQKGFm1EGYFilt6NQkPVSdSb5X+iNvjgbCDof57W+/osdVBwyEpvQD"
    "EuUZ8ybC99CWbxR2Bf5nsnFds22fCOlMQjwlYwLqK4PTQtdteUSFuQ9RXVz3+FUrZZfUX1"
    "i19RvfjbQoEtsqQOlv6yULWWiGW5z/+wUDb9a8isAYM5167xremFZo305RZaNWDmQxZNUa"
    "6Nkgnu/fbE3nqXfEM52DMMUQbJilzM4CJwd5L/BaBw1EEP09+69/vti9WXbG/ZrhmUiVH7"
    "4lXe963MBntFzPKXZnmzVsX2P5dXNYI3taxt7cMXLSKoOcxa//yawsUPhzKLFr58Suv8z2"
    "qtSmCWlPwwQQSyh6vTRrZI4aUqwbAvvofsHh8dLZPpdXSUn+oFdYlcL84kyTp0m59qFIHU"
    "iUYlE41K7AqtfzH78T86qumH"
)
