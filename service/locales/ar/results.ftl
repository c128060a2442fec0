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
account-link = ما آل إليه كل صوت
account-title = { $title } – حساب جميع الأصوات
account-intro = ما آل إليه كل صوت تم قبوله. يُعدّ الصوت مقبولًا بمجرد أن يقرأ صاحبه ذلك. تؤخذ الأرقام في لحظة واحدة من الخادمين.
account-balanced = الحساب متوازن: كل صوت مقبول موجود في أحد هذه الأسطر.
account-missing = أصوات ناقصة منذ { $since }: { $ballots }. لقد قُبلت ولا توجد في أي من هذه الأسطر. على القائمين على هذا التصويت البحث عنها.
account-surplus = أصوات زائدة منذ { $since }: { $ballots }. إنها في هذه الأسطر ولم تُقبل. على القائمين على هذا التصويت معرفة مصدرها.
account-unknown = لا يُعرف عدد الأصوات المقبولة: عاد الخادم الذي يعدّها إلى حالة سابقة.
account-none = لم يُؤخذ حساب هذا التصويت بعد.
account-until = الأصوات الواردة حتى
account-old = هذا الحساب قديم: تعذّر أخذ حساب أحدث.
account-ballots = الأصوات
account-number = العدد
account-meaning = المعنى
account-counted = معدودة
account-counted-words = هي ضمن النتيجة.
account-replaced = مستبدلة
account-replaced-words = يُحتسب صوت آخر للشخص نفسه.
account-out-of-time = خارج الوقت
account-out-of-time-words = لم يكن التصويت مفتوحًا عند وصولها.
account-no-code = لا رمز كهذا
account-no-code-words = ليس لصاحبها رمز لهذا التصويت.
account-dead = موضوعة جانبًا
account-dead-words = لا يمكن قراءتها أو عدّها، وهي محفوظة للقائمين على هذا التصويت.
account-dropped = محذوفة
account-dropped-words = كانت موضوعة جانبًا وأزالها القائمون على هذا التصويت.
account-waiting = منتظرة
account-waiting-words = هي محفوظة وستُعدّ بعد قليل.
account-unexplained = بلا تفسير
account-accepted = مقبولة
account-number-unknown = غير معروف
account-results = النتائج

# صفحة النتيجة في ثانية مضت.
past-link = النتيجة في ثانية مضت
past-title = { $title } – حتى { $at }
past-intro = النتيجة كما كانت في هذه الثانية، محسوبة من السجل العلني: كل أوراق الاقتراع التي وصلت حتى ذلك الحين، كل منها في الوقت الذي قُبلت فيه.
past-at = النتيجة في
past-steps = ثوانٍ أخرى
past-seconds = { $number } ث
past-minutes = { $number } د
past-agrees = السلسلة الزمنية مطابقة: عدد الأوراق التي وصلت حتى ذلك الحين وما زالت محسوبة اليوم: { $log }.
past-differs = السجل والسلسلة الزمنية مختلفان. من الأوراق التي وصلت حتى ذلك الحين تُحسب اليوم { $log } بحسب السجل و{ $series } بحسب السلسلة. يزول هذا أثناء عدّ الأوراق؛ وإذا استمر فاسأل القائمين على هذا التصويت.
