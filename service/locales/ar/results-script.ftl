# Sentences that the scripts of the results page and of the presenter view write; the server writes some of them first. They
# may hold variables and selections by number, and no other part of Fluent.

results-final = نهائي: أُغلق التصويت
results-counting-some =
    { $waiting ->
        [one] أُغلق: يُعدّ الصوت الأخير
        [two] أُغلق: يُعدّ آخر صوتين
        [few] أُغلق: تُعدّ آخر { $waiting } أصوات
        [many] أُغلق: يُعدّ آخر { $waiting } صوتًا
       *[other] أُغلق: يُعدّ آخر { $waiting } صوت
    }
results-counting = أُغلق: تُعدّ الأصوات الأخيرة
results-not-open = لم يُفتح بعد
results-open = التصويت مفتوح
until = حتى
closed-at = أُغلق
opens-at = يُفتح
hidden-not-published = لم ينشرها القائمون على هذا التصويت.
hidden-counting = ستظهر هنا فور عدّ الأصوات الأخيرة.
hidden-until = ستظهر هنا فور إغلاق التصويت، { $at }.
hidden-until-close = ستظهر هنا فور إغلاق التصويت.
hidden-after-vote = تراها فور تصويتك، ويراها الجميع فور انتهاء التصويت.
lead-tied = تعادل
lead-most = الأكثر أصواتًا
lead-leading = متقدّم
votes =
    { $votes ->
        [zero] { $votes } صوت
        [one] صوت واحد
        [two] صوتان
        [few] { $votes } أصوات
        [many] { $votes } صوتًا
       *[other] { $votes } صوت
    }
people-counted =
    { $people ->
        [zero] لم يُعدّ أحد.
        [one] عُدّ شخص واحد.
        [two] عُدّ شخصان.
        [few] عُدّ { $people } أشخاص.
        [many] عُدّ { $people } شخصًا.
       *[other] عُدّ { $people } شخص.
    }
spoken-option = { $label }: { $share }، { $votes }
spoken-reveal = النتائج معروضة الآن.
spoken-hidden = النتائج مخفية الآن.
spoken-lost = انقطع الاتصال: الأرقام لا تتحرك.
spoken-back = عاد الاتصال.
light-live = مباشر
light-silent = لا جديد منذ { $seconds } ث
light-stale = قديم منذ { $at }
light-reconnecting = جارٍ إعادة الاتصال…
light-reconnecting-as-of = جارٍ إعادة الاتصال… أرقام { $at }
light-connecting = جارٍ الاتصال…
chart-summary = الذروة { $peak }، المتوسط { $mean } صوت في الثانية
chart-empty = لا أصوات في آخر 5 دقائق
countdown-closes-at = يُغلق { $at }
countdown-opens-at = يُفتح { $at }
countdown-closes-in = يُغلق بعد
countdown-opens-in = يُفتح بعد
people-voted =
    { $people ->
        [few] أشخاص صوّتوا
        [many] شخصًا صوّتوا
       *[other] شخص صوّتوا
    }
