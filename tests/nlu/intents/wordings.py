"""What the customers of a restaurant write: four intents of its own, and messages that are none of them."""

from __future__ import annotations

from salambot.nlu.v1 import intents_pb2

WORDINGS = {
    "book_table": """
        bghit n7jez tabla l jouj dyal nass had lila
        3afak wach momkin n réserver table l 4 ghda
        je voudrais réserver une table pour deux ce soir
        peut-on réserver pour samedi à 20h ?
        une table en terrasse pour six personnes svp
        I would like to book a table for tonight
        can I reserve a table for five people on Friday?
        بغيت نحجز طبلة لجوج الناس هاد الليلة
        عفاك واش ممكن نحجز طبلة غدا
        أريد حجز طاولة لأربعة أشخاص
        هل يمكن حجز طاولة يوم السبت؟
        réservation pour 8 personnes dimanche midi
    """,
    "menu_prices": """
        ch7al taman dyal tajine ?
        chno kayn f le menu dyalkom o ch7al
        combien coûte le couscous du vendredi ?
        quels sont les prix de la carte ?
        envoyez-moi le menu avec les prix
        how much is the seafood pastilla?
        can you send me the menu with prices?
        شحال كيدير الطاجين عندكم؟
        شنو كاين فالمنيو وشحال الثمن
        كم سعر طبق الكسكس؟
        ما هي أسعار قائمة الطعام؟
        c'est combien le plat du jour ?
    """,
    "parking": """
        wach kayn parking 7da restaurant ?
        fin n9der nstationner tomobil ?
        y a-t-il un parking à côté du restaurant ?
        où peut-on garer la voiture ?
        le parking est-il gratuit ou payant ?
        is there a place to park my car nearby?
        do you have valet parking?
        واش كاين باركينغ حدا الريسطو؟
        فين نقدر نحط الطوموبيل؟
        هل يوجد موقف سيارات قريب؟
        أين يمكنني ركن السيارة؟
        est-ce facile de stationner le soir ?
    """,
    "birthday": """
        bghit ndir 3id milad dyal bnti 3ndkom
        wach katdiro les anniversaires o gâteau ?
        on veut fêter un anniversaire chez vous
        proposez-vous un gâteau d'anniversaire ?
        organisez-vous des fêtes pour enfants ?
        do you organise birthday parties?
        we want to celebrate my son's birthday with a cake
        بغيت ندير عيد ميلاد ديال بنتي عندكم
        واش كتوجدو الحلوى ديال عيد الميلاد؟
        هل تنظمون حفلات أعياد الميلاد؟
        نريد الاحتفال بعيد ميلاد ابني مع كعكة
        quel décor pour un anniversaire surprise ?
    """,
    "out_of_scope": """
        chkoun rbe7 lmatch lbare7 ?
        quelle est la capitale du Japon ?
        raconte-moi une blague
        will it rain in Paris tomorrow?
        شكون ربح الماتش البارح؟
        ما هو أكبر كوكب في المجموعة الشمسية؟
        kifach nssift virement men la banque
        write me a poem about the sea
    """,
}


def wordings(*intents: str) -> list[intents_pb2.IntentExample]:
    """The examples of these intents, all without any."""
    return [
        intents_pb2.IntentExample(intent=intent, text=line.strip())
        for intent in intents or WORDINGS
        for line in WORDINGS[intent].strip().splitlines()
    ]
