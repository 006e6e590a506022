"""Words to print on training pages: a passage in each of several languages.

Only the shapes of letters matter to the network, so pages are made of these
words in random order, with names, numbers and punctuation between them.
Source: Article 1 and the preamble of the Universal Declaration of Human Rights
(United Nations, public domain), and lines of authors long dead.
"""

from numpy.random import Generator

TEXTS = {
    "English": """
        All human beings are born free and equal in dignity and rights. They are endowed
        with reason and conscience and should act towards one another in a spirit of
        brotherhood. Whereas recognition of the inherent dignity and of the equal and
        inalienable rights of all members of the human family is the foundation of
        freedom, justice and peace in the world, whereas disregard and contempt for
        human rights have resulted in barbarous acts which have outraged the conscience
        of mankind. Call me Ishmael. Some years ago, never mind how long precisely,
        having little or no money in my purse, and nothing particular to interest me on
        shore, I thought I would sail about a little and see the watery part of the
        world. Chapter Company Report Quarterly invoice total received payment balance
        account number street address telephone please sign below
    """,
    "German": """
        Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit
        Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit
        begegnen. Es war einmal ein Müller, der hatte drei Söhne, seine Mühle, einen
        Esel und einen Kater; die Söhne mußten mahlen, der Esel Getreide holen und Mehl
        forttragen, die Katze dagegen die Mäuse wegfangen. Straße Größe Übung Ämter
        Öffnung fließend schließlich Rechnung Betrag Seite Band Auflage
    """,
    "French": """
        Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils
        sont doués de raison et de conscience et doivent agir les uns envers les autres
        dans un esprit de fraternité. Longtemps, je me suis couché de bonne heure. Le
        cœur a ses raisons que la raison ne connaît point. Où êtes-vous, maître? Il
        était déjà très tard à la gare, l’été s’achevait; ça suffit, dit l’hôte, voilà
        votre reçu, garçon, noël, naïveté, forêt, île, sûr, gouverneur général
    """,
    "Spanish": """
        Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados
        como están de razón y conciencia, deben comportarse fraternalmente los unos con
        los otros. En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha
        mucho tiempo que vivía un hidalgo. ¿Qué año? ¡Señor! mañana corazón pingüino
    """,
    "Italian": """
        Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono
        dotati di ragione e di coscienza e devono agire gli uni verso gli altri in
        spirito di fratellanza. Nel mezzo del cammin di nostra vita mi ritrovai per una
        selva oscura, ché la diritta via era smarrita. Perché così più giù città virtù
    """,
    "Latin": """
        Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae, aliam
        Aquitani, tertiam qui ipsorum lingua Celtae, nostra Galli appellantur. Hi omnes
        lingua, institutis, legibus inter se differunt. Lorem ipsum dolor sit amet
        consectetur Quousque tandem abutere patientia
    """,
    "Dutch": """
        Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn
        begiftigd met verstand en geweten, en behoren zich jegens elkander in een geest
        van broederschap te gedragen. Vijf ijsjes, één coöperatie, geïnd
    """,
    "Polish": """
        Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.
        Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu
        braterstwa. Zażółć gęślą jaźń
    """,
    "Czech": """
        Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni
        rozumem a svědomím a mají spolu jednat v duchu bratrství. Příliš žluťoučký kůň
        úpěl ďábelské ódy
    """,
    "Swedish": """
        Alla människor är födda fria och lika i värde och rättigheter. De är utrustade
        med förnuft och samvete och bör handla gentemot varandra i en anda av
        broderskap. Åäö på gården
    """,
    "Portuguese": """
        Todos os seres humanos nascem livres e iguais em dignidade e em direitos.
        Dotados de razão e de consciência, devem agir uns para com os outros em espírito
        de fraternidade. Não, às vezes, coração, ações
    """,
    "Danish": """
        Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret
        med fornuft og samvittighed, og de bør handle mod hverandre i en broderskabets
        ånd. Rødgrød på bæltet
    """,
}

_WORDS = {language: text.split() for language, text in TEXTS.items()}
_LANGUAGES = tuple(_WORDS)
_MARKS = (
    "—",
    "&",
    "§ 4",
    "No.",
    "—",
    "“so”",
    "„ja“",
    "«oui»",
    "(1)",
    "[sic]",
    "*",
    "†",
    "£5",
    "$12.50",
    "%",
)


def words(rng: Generator, count: int) -> list[str]:
    """Return random words of one language, some in capitals, with numbers and signs between."""
    source = _WORDS[_LANGUAGES[int(rng.integers(0, len(_LANGUAGES)))]]
    if rng.random() < 0.4:
        source = _WORDS["English"]
    start = int(rng.integers(0, len(source)))
    chosen = [source[(start + i) % len(source)] for i in range(count)]
    for i in range(count):
        chance = rng.random()
        if chance < 0.25:
            chosen[i] = source[int(rng.integers(0, len(source)))]
        if chance < 0.03:
            chosen[i] = chosen[i].upper()
        elif chance < 0.05:
            chosen[i] = number(rng)
        elif chance < 0.06:
            chosen[i] = _MARKS[int(rng.integers(0, len(_MARKS)))]
    return chosen


def number(rng: Generator) -> str:
    """Return a year, an amount, a date or a telephone number."""
    match int(rng.integers(0, 4)):
        case 0:
            return str(rng.integers(1600, 2030))
        case 1:
            return f"{rng.integers(0, 10000):,}.{rng.integers(0, 100):02d}"
        case 2:
            return f"{rng.integers(1, 29)}/{rng.integers(1, 13)}/{rng.integers(1900, 2030)}"
        case _:
            return f"{rng.integers(10, 1000)}-{rng.integers(1000, 10000)}"
