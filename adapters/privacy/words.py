"""Words that say what a number is, in the languages of those who have such numbers."""

from typing import Final

from domain.privacy.context import context_words

OTHER_NUMBERS: Final = (
    *("order", "orders", "invoice", "ticket", "case", "tracking", "ref", "reference", "version", "build"),
    *("release", "isbn", "issn", "doi", "part", "sku", "serial", "model", "article", "item", "product"),
    *(
        "revision",
        "commit",
        "id",
        "uuid",
        "page",
        "pages",
        "line",
        "lines",
        "row",
        "total",
        "amount",
        "price",
    ),
    *("population", "budget", "revenue", "date", "dated", "since", "until", "zip", "postcode"),
    *("bestellung", "rechnung", "commande", "facture", "pedido", "factura", "ordine", "fattura"),
)

PHONES: Final = context_words(
    (
        *("phone", "phones", "phone number", "telephone", "tel", "telefax", "fax", "mobile", "cell"),
        *("cellphone", "landline", "office", "home", "work", "call", "calls", "called", "calling", "caller"),
        *("dial", "ring", "reach", "reached", "answer", "answering", "text", "sms", "whatsapp", "signal"),
        *("viber", "hotline", "helpline", "voicemail", "contact", "extension", "direct line", "switchboard"),
        *("pager", "telefon", "telefonnummer", "handy", "handynummer", "mobil", "mobilnummer", "anrufen"),
        *("rufnummer", "durchwahl", "téléphone", "portable", "appeler", "appelez", "teléfono", "móvil"),
        *("celular", "llamar", "llame", "telefone", "telemóvel", "ligar", "telefono", "cellulare"),
        *("chiamare", "telefoon", "telefoonnummer", "mobiel", "bellen", "puhelin", "puhelinnumero"),
        *("telefonen", "komórka", "zadzwoń", "τηλέφωνο", "κινητό", "телефон", "тел", "мобильный", "звоните"),
        *("电话", "手机", "電話", "携帯", "전화", "휴대폰"),
    ),
    OTHER_NUMBERS,
)

CARDS: Final = context_words(
    (
        *("card", "cards", "credit", "debit", "cc", "visa", "mastercard", "maestro", "amex", "discover"),
        *("american express", "diners", "jcb", "unionpay", "karte", "kreditkarte", "carte", "carte bancaire"),
        *("tarjeta", "cartão", "carta", "kaart", "creditcard", "kort", "karta", "карта"),
        *("信用卡", "クレジット", "카드"),
    ),
    OTHER_NUMBERS,
)

VERSIONS: Final = context_words(
    ("ip", "address", "host", "server", "client", "from", "ping"),
    ("version", "versions", "v", "release", "build", "section", "chapter", "oid", "firmware", "rev"),
)
