# The results page, the presenter view and the picture of the results, as the server renders them.

results-title = { $title } – النتائج
screen-title = { $title } – على الشاشة
open-results = افتح هذه النتائج
preview-hidden = { $state }. النتائج مخفية حاليًا.
preview-counted =
    { $people ->
        [zero] { $state }. لم يُعدّ أحد.
        [one] { $state }. عُدّ شخص واحد.
        [two] { $state }. عُدّ شخصان.
        [few] { $state }. عُدّ { $people } أشخاص.
        [many] { $state }. عُدّ { $people } شخصًا.
       *[other] { $state }. عُدّ { $people } شخص.
    }
picture-counted =
    { $people ->
        [zero] لم يُعدّ أحد، { $at }
        [one] عُدّ شخص واحد، { $at }
        [two] عُدّ شخصان، { $at }
        [few] عُدّ { $people } أشخاص، { $at }
        [many] عُدّ { $people } شخصًا، { $at }
       *[other] عُدّ { $people } شخص، { $at }
    }
printed-as-of = أرقام
no-script = لا تتحرك هذه الأرقام تلقائيًا: فهي تحتاج إلى JavaScript لذلك.
no-script-reload = أعِد تحميل الصفحة
no-script-newer = للحصول على أرقام أحدث.
hidden-title = النتائج مخفية حاليًا
standings = الترتيب
turnout-and-pace = المشاركة والوتيرة
people-counted-label = الأشخاص المعدودون
votes-per-second = الأصوات في الثانية
chart-caption = الأصوات في الثانية، آخر 5 دقائق
chart-ago = قبل 5 د
chart-now = الآن
vote-at = صوّت على
vote-link = صوّت
table-summary = النتائج في جدول
table-caption = الأصوات لكل خيار؛ النسب من الأشخاص المعدودين
table-option = الخيار
table-votes = الأصوات
table-share = النسبة
as-of = حتى
light-as-of = حتى { $at }
all-polls = كل عمليات التصويت
poll-state =
    { $state ->
        [draft] مسودة
        [scheduled] مجدول
        [open] مفتوح
        [closed] مغلق
        [archived] مؤرشف
       *[other] غير معروف
    }
curtain-words = ستُعرض بعد لحظة.
and-more = و{ $count } غيرها
how-to-vote = كيف تصوّت
qr-label = رمز QR للعنوان أدناه
scan-or-go = امسح الرمز، أو انتقل إلى
screen-keys = الشاشة
key-full = ملء الشاشة
key-hide = إخفاء
key-reveal = كشف
key-previous = التصويت السابق
key-next = التصويت التالي
