"""Texts to compare tokenizers on, the same in every run: our own sentences, words of random letters of many
scripts, and what breaks tokenizers: marks without a letter, controls, joiners, huge words, and so on."""
import random

SENTENCES = """
the cat sleeps in the sun on a red sofa
A happy dog waits for its dinner, and it will not wait long!
Good morning! How are you today? I'm fine, thanks; you're late.
e-mail me at cats@example.com about the 3 kittens for $12.50 (or 11,90 €)
The QUICK brown fox: 100% fluffy... isn't it?
Der müde Bär schläft süß auf der großen Straße in Österreich
Le garçon naïf a mangé une crêpe près de la forêt, où l'été s'achève
¿Dónde está el niño con su muñeca? ¡Mañana será otro día!
O coração da avó não está à venda; que pão é este?
Perché la città è così bella di notte?
De kat zit op de vensterbank en kijkt naar buiten
Zażółć gęślą jaźń, mówi mały żółw do łosia
Příliš žluťoučký kůň úpěl ďábelské ódy
Árvíztűrő tükörfúrógép a nagymama konyhájában
Fetița cu părul creț împarte mere și pâine cu țânțarii
İstanbul'da ışıklı bir gece, IĞDIR'da kar yağıyor, çok güzel
Bữa sáng hôm nay có phở và cà phê sữa đá
Þetta er ærslafullur köttur á þaki; æði!
Kissa nukkuu sängyllä ja näkee unta hiiristä
Ο γάτος κοιμάται στον ήλιο, ΟΔΥΣΣΕΥΣ ο σοφός
Кошка спит на красном диване, а ёжик пьёт чай
Київ прокидається: їжак п'є каву з ґанку
Մեր կատուն քնում է արևի տակ
החתול ישן בשמש על הספה האדומה
القطة تنام في الشمس على الأريكة الحمراء، مَرْحَبًا بِكُم
بلی روی مبل قرمز خوابیده است و چای می‌خواهد
بلی دھوپ میں سو رہی ہے
बिल्ली लाल सोफे पर धूप में सो रही है, क्षमा कीजिए
বিড়াল রোদে ঘুমাচ্ছে, কেমন আছেন?
ਬਿੱਲੀ ਧੁੱਪ ਵਿੱਚ ਸੌਂ ਰਹੀ ਹੈ
બિલાડી તડકામાં સૂઈ રહી છે
ବିଲେଇ ଖରାରେ ଶୋଇଛି
பூனை வெயிலில் தூங்குகிறது
పిల్లి ఎండలో నిద్రపోతోంది
ಬೆಕ್ಕು ಬಿಸಿಲಿನಲ್ಲಿ ಮಲಗಿದೆ
പൂച്ച വെയിലത്ത് ഉറങ്ങുന്നു
බළලා අව්වේ නිදාගෙන සිටී
แมวนอนหลับอยู่กลางแดดบนโซฟาสีแดง น้ำแข็ง
ແມວນອນຢູ່ກາງແດດ
བྱི་ལ་ཉི་མའི་འོག་ཏུ་གཉིད་ཉལ།
ကြောင်လေး နေပူထဲမှာ အိပ်နေတယ်
ឆ្មាកំពុងដេកក្រោមពន្លឺថ្ងៃ
კატას მზეზე სძინავს წითელ დივანზე
고양이가 햇볕 아래 소파에서 자고 있어요
ድመቷ በፀሐይ ላይ ተኝታለች
ᎣᏏᏲ ᏪᏌ ᎦᎵᎭ
猫は赤いソファの上で日なたぼっこをしています。ネコちゃん、おはよう!
我家的猫在红色的沙发上晒太阳,睡得很香。
貓咪在陽光下睡覺,真可愛!
ㄇㄠ ㄗㄞˋ ㄕㄨㄟˋ ㄐㄧㄠˋ
ᠮᠤᠤᠷ ᠨᠠᠷᠠᠨ ᠳᠣᠣᠷ᠎ᠠ ᠤᠨᠲᠠᠵᠤ ᠪᠠᠶᠢᠨᠠ
ⵎⵓⵛ ⵉⵟⵟⵙ ⴳ ⵜⴰⴼⵓⴽⵜ
ܩܛܐ ܕܡܟ ܒܫܡܫܐ
ބުޅާ އަވީގައި ނިދާފައި
good night 🌙 sleep well 😴💤 my little 🐱
I ❤️ you 👩‍👩‍👧‍👦 family, 👍🏽 thumbs, 🏳️‍🌈 flag, 🇹🇭🇮🇹 flags, 1️⃣ keycap
happy birthday to you, happy new year, merry christmas, congratulations, thank you so much
crying laughing angry tired hungry thirsty sleepy bored surprised confused in love
coffee tea pizza cake rice noodles bread cheese apple banana watermelon ice cream
""".strip().split("\n")

SCRIPTS = {
    "latin": [(0x61, 0x7A), (0xC0, 0x17F), (0x1E00, 0x1EFF)], "latin more": [(0x180, 0x24F), (0xA720, 0xA7F0)],
    "ipa": [(0x250, 0x2AF)], "greek": [(0x386, 0x3E1)], "greek accents": [(0x1F00, 0x1FFE)],
    "cyrillic": [(0x400, 0x52F)], "armenian": [(0x531, 0x58A)], "hebrew": [(0x591, 0x5F4)],
    "arabic": [(0x610, 0x6FF)], "arabic more": [(0x750, 0x77F), (0x8A0, 0x8E1)], "syriac": [(0x700, 0x74F)],
    "thaana": [(0x780, 0x7B1)], "nko": [(0x7C0, 0x7FF)], "samaritan": [(0x800, 0x83E)],
    "devanagari": [(0x900, 0x97F)], "bengali": [(0x980, 0x9FE)], "gurmukhi": [(0xA01, 0xA76)],
    "gujarati": [(0xA81, 0xAFF)], "oriya": [(0xB01, 0xB77)], "tamil": [(0xB82, 0xBFA)], "telugu": [(0xC00, 0xC7F)],
    "kannada": [(0xC80, 0xCF3)], "malayalam": [(0xD00, 0xD7F)], "sinhala": [(0xD81, 0xDF4)],
    "thai": [(0xE01, 0xE5B)], "lao": [(0xE81, 0xEDF)], "tibetan": [(0xF00, 0xFDA)], "myanmar": [(0x1000, 0x109F)],
    "georgian": [(0x10A0, 0x10FF), (0x1C90, 0x1CBF)], "jamo": [(0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB)],
    "hangul": [(0xAC00, 0xD7A3)], "ethiopic": [(0x1200, 0x139F)], "cherokee": [(0x13A0, 0x13FD), (0xAB70, 0xABBF)],
    "syllabics": [(0x1400, 0x167F)], "ogham": [(0x1680, 0x169C)], "runic": [(0x16A0, 0x16F8)],
    "tagalog": [(0x1700, 0x1773)], "khmer": [(0x1780, 0x17F9)], "mongolian": [(0x1800, 0x18AA)],
    "limbu": [(0x1900, 0x194F)], "tai tham": [(0x1A20, 0x1AAD)], "balinese": [(0x1B00, 0x1B7E)],
    "kana": [(0x3041, 0x30FF)], "bopomofo": [(0x3105, 0x312F)], "han": [(0x4E00, 0x5200)],
    "han a": [(0x3400, 0x3500)], "han b and more": [(0x20000, 0x20100), (0x2B700, 0x2B960)],
    "han compatibility": [(0xF900, 0xFAD9), (0x2F800, 0x2FA1D)], "radicals": [(0x2E80, 0x2FD5)],
    "yi": [(0xA000, 0xA4C6)], "vai": [(0xA500, 0xA62B)], "javanese": [(0xA980, 0xA9DF)], "cham": [(0xAA00, 0xAA5F)],
    "meetei": [(0xABC0, 0xABF9)], "tifinagh": [(0x2D30, 0x2D7F)], "coptic": [(0x2C80, 0x2CFF)],
    "glagolitic": [(0x2C00, 0x2C5F), (0x1E000, 0x1E02A)], "gothic": [(0x10330, 0x1034A)],
    "deseret": [(0x10400, 0x1044F)], "adlam": [(0x1E900, 0x1E95F)], "brahmi": [(0x11000, 0x1107F)],
    "chakma": [(0x11100, 0x11147)], "cuneiform": [(0x12000, 0x12050)], "hieroglyphs": [(0x13000, 0x13455)],
    "new scripts": [(0x10D40, 0x10D8F), (0x11380, 0x113E2), (0x16D40, 0x16D79), (0x1E5D0, 0x1E5FF)],
    "full width": [(0xFF01, 0xFFEE)], "presentation": [(0xFB00, 0xFDFF), (0xFE70, 0xFEFC)],
    "letterlike": [(0x2100, 0x218F), (0x2460, 0x24FF)], "mathematical": [(0x1D400, 0x1D7FF)],
    "enclosed": [(0x3200, 0x33FF), (0x1F100, 0x1F251)], "punctuation": [(0x2000, 0x206F), (0x3000, 0x303F)],
    "symbols": [(0x2190, 0x23FF), (0x2500, 0x27BF)], "emoji": [(0x1F300, 0x1F64F), (0x1F900, 0x1FAFF)],
    "marks": [(0x300, 0x36F), (0x1AB0, 0x1AEB), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0xFE20, 0xFE2F)],
    "ascii": [(0x20, 0x7E)], "latin 1": [(0x80, 0xFF)], "private": [(0xE000, 0xE010), (0xF0000, 0xF0004)],
    "specials": [(0xFE00, 0xFE0F), (0xFFF0, 0xFFFF), (0xE0001, 0xE007F), (0xE0100, 0xE0110)],
}

HOSTILE = [
    "", " ", "\t\n\r ", "\u00a0\u2003\u3000", "\u0301", "e\u0301\u0323", "e\u0323\u0301", "\u0323\u0301\u0334a",
    "ﷺ", "ﷺ ﷺﷺ", "ﬁne ﬂow oﬃce ﬅ", "İIıi ĞğŞş", "Straße STRASSE ẞ", "ΣΑΣ σας ς ΟΔΟΣ", "Å Å Å", "Ω Ω", "K K",
    "１２３ ＡＢＣ ａｂｃ ｱｲｳ ｶﾞ", "①②③ ⑴ ㊀ ㍿ ㌔ ㋿", "x² + y³ = ½ ¼ ⅓", "™ © ® ℠ №", "\u200b", "a\u200bb\u200cc\u200dd",
    "\u200ehello\u200f", "\u202eabc\u202c", "\u2066x\u2069", "\ufeffBOM", "soft\u00adhyphen", "\u061cabc",
    "👨‍👩‍👧‍👦", "👩🏽‍🚀", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🇦🇧🇨", "❤\ufe0f❤\ufe0e", "1\ufe0f\u20e3",
    "\u1100\u1161\u11a8", "\u1100\u1100\u1161", "각\u11a8", "\u115f\u1160", "\u3164", "ㄱㅏ",
    "क\u094dष", "क\u094d\u0301ष\u0301", "क़\u0301", "\u0958", "क\u094dक़\u0301", "ড়", "\u0b5c\u0301", "த\u0bcd",
    "\U00020000\U0002a6d6", "\U0002b81f\U0002b820", "豈更車", "\u2f00", "々〆〇", "a中b文c", "中文English混合",
    "foo_bar-baz", "a.b.c", "...", "!?!?", "don't can't won't 'tis", "“quoted” ‘single’ «guillemets» „low“",
    "a,b;c:d", "#tag @user $5 %6 ^7 &8 *9", "C++ C# .NET", "http://x.y/z?q=1&r=2#s", "`~|\\<>", "a/b\\c", "{[()]}",
    "[SEP]", "[CLS] [SEP] [PAD] [MASK] [UNK]", "x[SEP]y", "<s>", "</s>", "<s>a</s>", "<pad><unk><mask>", "a <mask> b",
    "<|endoftext|>", "[unused1]", "##ing", "▁", "▁a", "a▁b", "▁▁", " ▁ ▁a ", "a  b   c", "  a", "a  ", "\u2581\u0301",
    "\x01\x02", "a\x00b" .replace("\x00", "\x7f"), "\x1b[31mred", "a\x85b", "\x0b\x0c", "\u2028\u2029", "\ufffd", "\uffff",
    "\U0010ffff", "\ue000", "a\ufffdb", "\u0600a\u06dd1", "\u070fa", "\u08e2x", "\U000110bdx", "ª\u0301 º\u0300 ¹\u0303",
    "ª\u0897", "©\u200d®", "©\u200d©\u0301", "™\u0301", "ǅ ǆ Ǆ", "ŉ ǰ ΐ", "ẖ ẗ", "ϓ ϔ ϒ", "Ǆ\u0301", "ﬀ\u0301", "\u0344", "\u0340\u0341\u0343",
    "\u1fbe\u1fbf\u1fc0", "\u037e\u0387", "\u2126\u212a\u212b", "\u2329\u232a", "\u0f73\u0f75\u0f81", "\u1d15e",
    "\U0001d15e", "\U0001d1c0", "\ufb1d\ufb4f", "\u0149\u017f", "\ufdfa\ufdfb", "𝓗𝓮𝓵𝓵𝓸 𝕎𝕠𝕣𝕝𝕕", "ʰʲʷ ₁₂₃", "🅰🅱", "🈁🈂",
    "\u0e33 \u0eb3", "น้ำ กำ", "\u0e4d\u0e32", "\u0f0c", "\u2011", "\u2024\u2025\u2026", "\u2033\u2034\u2057", "\u203c\u2047",
    "\u1160\u11ff", "\uffa0\uffbe", "\uff9e\uff9f", "か\u3099", "が", "ハ\u309a", "\u309b\u309c", "Zͭ̾a̴͖l̐g͍o̷", "\u0489a\u0488",
    "a" * 99, "a" * 100, "a" * 101, "é" * 100, "中" * 60, "😀" * 50, "ab" * 150, "the" * 40, "xq" * 60, "\u0301" * 60,
    "e" + "\u0301\u0323\u0334" * 20, "supercalifragilisticexpialidocious" * 2, "-" * 80, "▁" * 40, "가" * 50,
    "\U00011938\U00011935\U00011930", "\u1acf\u0301", "a\u0897\u0316", "\u1715a", "\U00016ea0\ua7cb\ua7dc\u1c89",
    "ſ ẛ ẛ\u0323", "\u0130\u0307", "i\u0307", "ⅷ Ⅷ ↉", "㎏ ㎡ ㏒", "ꟲ ꟳ", "\ua7f1", "\U0001ccd6", "\U0001fbf0",
]


def word(rng, ranges, longest=8):
    out = []
    for _ in range(rng.randint(1, longest)):
        first, last = rng.choice(ranges)
        c = rng.randint(first, last)
        out.append(chr(c) if not 0xD800 <= c < 0xE000 and c else "x")
    return "".join(out)


def texts(each=20, seed=1):
    """`each` texts of every script, the sentences and parts of them, mixtures, the hostile ones."""
    rng = random.Random(seed)
    out = SENTENCES + HOSTILE
    for sentence in SENTENCES:
        words = sentence.split()
        for _ in range(max(1, each // 10)):
            at = rng.randrange(len(words))
            out.append(" ".join(words[at:at + rng.randint(1, 4)]))
    for ranges in SCRIPTS.values():
        for _ in range(each):
            out.append(" ".join(word(rng, ranges) for _ in range(rng.randint(1, 2))))
    every = list(SCRIPTS.values())
    for _ in range(each * 10):  # scripts and marks mixed, with hostile joints
        parts = []
        for _ in range(rng.randint(2, 4)):
            parts.append(word(rng, rng.choice(every), 3))
            parts.append(rng.choice(["", "", " ", "\u0301", "\u200d", "\u00ad", "'", "▁", "\u0323", "\ufe0f", "-"]))
        out.append("".join(parts))
    for _ in range(each * 5):  # any code points at all
        out.append("".join(chr(c) for c in (rng.randrange(1, 0x110000) for _ in range(rng.randint(1, 5)))
                           if not 0xD800 <= c < 0xE000))
    return list(dict.fromkeys(out))
