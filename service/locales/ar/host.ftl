# صفحات خدمة المنظّمين ومشكلاتها. التفصيل بقية جملة: بلا نقطة في آخره.

host-error-title = خطأ: { $title }
host-person = تسجيل الدخول باسم { $name }
host-sign-out = تسجيل الخروج
host-go-back = رجوع
host-sign-in = تسجيل الدخول
host-sign-in-link = يسجّل هذا الرابط دخولك مرة واحدة.
host-token = مفتاحك
host-token-hint = ‏64 رقمًا وحرفًا كما عرضها votectl عند إضافتك
host-token-confirm = مفتاحك، للتأكيد
host-token-confirm-hint = لا يمكن التراجع عن هذا، وقد سجّلت الدخول قبل أكثر من خمس دقائق
host-polls = عمليات التصويت الخاصة بك
host-all-polls = كل عمليات التصويت
host-no-polls = لا يوجد تصويت بعد.
host-voters-counted =
    { $voters ->
        [zero] لم يُحسب أحد بعد
        [one] حُسب مصوّت واحد
        [two] حُسب مصوّتان
        [few] حُسب { $voters } مصوّتين
        [many] حُسب { $voters } مصوّتًا
       *[other] حُسب { $voters } مصوّت
    }
host-opens = يُفتح { $at }
host-closes = يُغلق { $at }
host-create = إنشاء تصويت
host-create-send = إنشاء التصويت
host-field-slug = الاسم في العناوين
host-field-slug-hint = حروف لاتينية صغيرة من a إلى z وأرقام وواصلات، مثل cats-vs-dogs
host-field-title = السؤال
host-field-options = الخيارات
host-field-options-hint = خيار في كل سطر، من 2 إلى 63؛ بعد أن يصوّت أحد لا تتغير إلا كتابتها
host-field-option = الخيار «{ $slug }»
host-field-choices = كم خيارًا يجوز أن تختار ورقة التصويت
host-field-second = صوت ثانٍ
host-second-keep = يُحسب الصوت الأول
host-second-replace = يجوز للمصوّتين تغيير صوتهم
host-field-voters = من يجوز له التصويت
host-voters-open = الجميع، مرة واحدة في كل متصفح
host-voters-code = من لديه رمز تصويت
host-field-seen = من يرى النتائج
host-seen-always = الجميع، منذ البداية
host-seen-close = الجميع، بعد إغلاق التصويت
host-seen-vote = من صوّت، والجميع بعد إغلاق التصويت
host-seen-admin = المنظّمون وحدهم، إلى أن يكشفها أحد
host-field-opens = الفتح
host-field-opens-draft = الفتح (اتركه فارغًا للمسودة)
host-field-closes = الإغلاق (اتركه فارغًا لإغلاق التصويت يدويًا)
host-field-closes-now = الإغلاق (اتركه فارغًا لإغلاق التصويت الآن)
host-field-later = كم يتأخر الإغلاق، أو إلى متى
host-field-time-hint = ‏now أو ‎+10m أو ‎+2h أو وقت مثل 2026-03-01 20:00 Europe/Berlin
host-field-hide = إلى متى
host-hide-close = إلى أن يُغلق التصويت وتُحسب كل الأصوات
host-hide-vote = إلى أن يصوّت المرء، أو يُغلق التصويت
host-hide-revealed = إلى أن يكشفها أحد
host-tasks = المهام
host-task-open = فتح التصويت
host-task-extend = تمديد التصويت
host-task-close = إغلاق التصويت
host-task-reveal = كشف النتائج
host-task-hide = إخفاء النتائج
host-task-correct = تصحيح النصوص
host-task-cancel = إلغاء الفتح
host-task-archive = أرشفة التصويت
host-does-open = منذ وقت الفتح يستطيع كل من يعرف العنوان أن يصوّت. الوقت الذي لم يحن بعد يمكن تغييره حتى خمس ثوانٍ قبله.
host-does-extend = يُغلق التصويت متأخرًا عن موعده. تعرض الصفحات المفتوحة الوقت الجديد خلال ثانيتين.
host-does-close = يُغلق التصويت نهائيًا. تُحسب الأوراق التي وصلت قبل ذلك، حتى إن احتاج ذلك لحظة أطول.
host-does-reveal = يرى الجميع النتائج من الآن، حتى أثناء فتح التصويت.
host-does-hide = لا تعرض الصفحات والواجهة البرمجية النتائج بعد الآن. من رآها فقد رآها.
host-does-correct = تظهر النصوص الجديدة في الصفحات المفتوحة خلال ثانيتين. تبقى الأصوات مع خياراتها، وتبقى النصوص السابقة مذكورة في صفحة التصويت.
host-does-cancel = يعود التصويت مسودة، بلا وقت فتح ولا وقت إغلاق.
host-does-archive = يغادر التصويت كل صفحات المصوّتين نهائيًا. تُحفظ الأصوات والنتائج. ويُنسى ما يعرفه Redis عن المصوّتين.
host-done-create = أُنشئ التصويت.
host-done-open = حُدّد وقت الفتح.
host-done-extend = صار وقت الإغلاق متأخرًا الآن.
host-done-close = حُدّد وقت الإغلاق.
host-done-reveal = يرى الجميع النتائج الآن.
host-done-hide = النتائج مخفية الآن.
host-done-correct = حُفظت النصوص الجديدة. تبقى السابقة مذكورة أدناه.
host-done-cancel = أُلغي الفتح. عاد التصويت مسودة.
host-done-archive = أُرشف التصويت.
host-seals = أرشفة هذا التصويت تختمه أيضًا. لا يفعل ذلك إلا هذا الأمر:
host-results = النتائج
host-not-opened = لم يُفتح التصويت بعد.
host-not-final-open = غير نهائي: التصويت مفتوح.
host-not-final-counting = غير نهائي: تُحسب الأوراق الأخيرة.
host-final = نهائي: حُسبت كل ورقة مقبولة.
host-waiting =
    { $ballots ->
        [0] لا تنتظر أي ورقة مقبولة العدّ.
        [one] ورقة مقبولة واحدة لم تُحسب بعد.
        [two] ورقتان مقبولتان لم تُحسبا بعد.
        [few] { $ballots } أوراق مقبولة لم تُحسب بعد.
        [many] { $ballots } ورقة مقبولة لم تُحسب بعد.
       *[other] { $ballots } ورقة مقبولة لم تُحسب بعد.
    }
host-waiting-unknown = لا يُعرف كم ورقة مقبولة لم تُحسب بعد.
host-as-of = الحالة في { $at }.
host-reload = إعادة التحميل
host-column-option = الخيار
host-column-votes = الأصوات
host-column-share = النسبة
host-rules = القواعد
host-rule-opens = الفتح
host-rule-closes = الإغلاق
host-no-time = لم يُحدّد وقت
host-by-hand = يدويًا
host-rule-choices = اختيارات الورقة
host-choices = من { $min } إلى { $max }
host-rule-ballot = ورقة التصويت
host-rule-results = صفحة النتائج
host-corrections = التصحيحات
host-steps = آخر الخطوات
host-column-when = متى
host-column-field = الحقل
host-column-before = قبل
host-column-after = بعد
host-column-who = من
host-column-step = الخطوة
problem-forged = افتح الصفحة مرة أخرى
problem-needs-tls = عُد عبر TLS
problem-not-signed-in = سجّل الدخول أولًا
problem-refused = هذا غير ممكن
problem-too-many-attempts = محاولات كثيرة جدًا
problem-unconfirmed = أظهر مفتاحك مرة أخرى
host-detail-session-ended = انتهت جلستك، ولم يتغير شيء
host-detail-earlier-session = الصفحة من جلسة سابقة: افتحها مرة أخرى
host-detail-other-site = أرسلت صفحةُ موقع آخر هذا الطلب
host-detail-needs-tls = لا تعبر المفاتيح أي شبكة بلا TLS: استخدم عنوانًا يبدأ بـ https
host-detail-wrong-token = هذا المفتاح غير صالح، أو أُلغي
host-detail-used-link = استُخدم هذا الرابط من قبل، أو مضى عليه أكثر من 15 دقيقة؛ اطلب رابطًا آخر، أو استخدم مفتاحك
host-detail-attempts = محاولات كثيرة جدًا من شبكتك كانت خاطئة: انتظر قليلًا
host-detail-unconfirmed = لا يمكن التراجع عن هذا: اكتب مفتاحك للتأكيد
host-detail-database = لا يمكن سؤال قاعدة البيانات الآن
host-detail-away = لا يمكن الوصول إلى خادم الآن؛ انظر إلى التصويت قبل أن تحاول مرة أخرى
host-detail-failed = تعذّر تنفيذ الأمر؛ يذكر سجل الخدمة السبب
host-detail-not-yours = لا يجوز لك إنشاء تصويت «{ $slug }»: ليس من العمليات المسمّاة لك
host-detail-not-now = لا تسمح إعدادات التصويت وحالته بهذا الآن
host-detail-taken = يوجد تصويت باسم «{ $slug }» من قبل
host-detail-no-option = ليس في التصويت خيار «{ $slug }»
host-detail-slug = للاسم في العناوين من 1 إلى 63 محرفًا: حروف لاتينية صغيرة من a إلى z وأرقام وبينها واصلات
host-detail-title = للسؤال من 1 إلى { $max } محرفًا، لا { $given }
host-detail-options = للتصويت من 2 إلى { $max } خيارًا، لا { $given }
host-detail-choices = يجوز أن تختار الورقة من 1 إلى { $max } خيارًا، لا «{ $given }»
host-detail-time = «{ $given }» ليس وقتًا: اكتب now أو ‎+10m أو ‎+2h أو ‎+1d أو وقتًا مثل 2026-03-01 20:00 Europe/Berlin
host-detail-time-zone = يحتاج الوقت «{ $given }» إلى منطقته، مثل { $given } Europe/Berlin
host-detail-no-zone = لا توجد منطقة زمنية «{ $given }»؛ مثال ذلك Europe/Berlin
host-detail-say-when = اذكر كم يتأخر، أو إلى متى
host-detail-value = «{ $given }» ليس قيمة لـ { $name }
host-detail-needs-opening = يحتاج وقت الإغلاق إلى وقت فتح
host-detail-is-draft = لم يُفتح التصويت: إنه مسودة
host-detail-is-over = لا يمكن تغيير هذا بعد الآن، لأن التصويت { $state ->
        [archived] مؤرشف
       *[other] مغلق
    }
host-detail-not-opened = لم يُفتح التصويت: اذكر الوقت الذي يُغلق فيه
host-detail-closes-soon = يُغلق التصويت من تلقاء نفسه خلال ثوانٍ
host-detail-opens-soon = يُفتح التصويت من تلقاء نفسه خلال ثوانٍ
host-detail-too-early = أقرب وقت لإغلاق التصويت بعد { $ms } مللي ثانية: اختر وقتًا متأخرًا عنه، أو لا تختر
host-detail-closes-first = سيُغلق التصويت قبل أن يُفتح: اختر وقت إغلاق متأخرًا عنه
host-detail-is-open = التصويت مفتوح من قبل
host-detail-has-opened = فُتح التصويت: أغلقه لإنهائه
host-detail-no-end = ليس للتصويت وقت إغلاق: أغلقه واذكر الوقت
host-detail-ends-later = يُغلق التصويت { $at } من قبل: اختر وقتًا متأخرًا عنه
host-detail-past = لا يمكن فتح تصويت في الماضي: اختر وقتًا متأخرًا
host-detail-close-first = التصويت مفتوح، أو سيُفتح: أغلقه أولًا
host-detail-seals = يُختم هذا التصويت عند أرشفته، ولا يستطيع ذلك إلا `votectl poll archive`
host-codes = رموز التصويت
host-codes-new = رموز جديدة
host-codes-new-does = تعرض الصفحة التالية الرموز الجديدة مرة واحدة. لا تُحفظ إلا بصماتها، فلا يستطيع أحد عرضها مرة أخرى: اطبع الصفحة.
host-codes-count = كم رمزًا
host-codes-count-hint = من 1 إلى 1000 في المرة الواحدة
host-codes-issue = إنشاء الرموز
host-codes-own = رموز في أيدي الناس
host-codes-own-does = تصبح رموزًا لهذا التصويت أيضًا. الرموز الموجودة فيه تبقى كما هي.
host-codes-field = الرموز
host-codes-field-hint = رمز في كل سطر: 16 رقمًا وحرفًا بلا I وL وO وU؛ لا تُحسب الواصلات والفراغات
host-codes-import = إضافة هذه الرموز
host-codes-added = الرموز المضافة: { $added }. { $there ->
        [0] لم يكن أي منها موجودًا.
       *[other] الموجودة من قبل: { $there }.
    }
host-codes-guessable = يمكن تخمين بعض هذه الرموز من غيرها، أو أنها مختلقة. من خمّن رمزًا استطاع التصويت به.
host-cards = رموز تصويت جديدة
host-cards-note = اطبع هذه الصفحة الآن، وقصّ على الخطوط المتقطعة. بعد أن تغادرها لا يستطيع أحد عرض هذه الرموز مرة أخرى. من لديه رمز يستطيع التصويت به.
host-cards-picture = رمز QR للرابط الشخصي
host-cards-how = امسح الصورة، أو افتح ورقة التصويت واكتب هذا الرمز. يُحسب مرة واحدة. احتفظ به لنفسك.
host-download = تنزيل:
host-detail-count = أنشئ من 1 إلى { $max } رمزًا في المرة الواحدة، لا «{ $given }»
host-detail-no-code = السطر { $line } ليس رمزًا، ولم يُضف شيء: للرمز 16 محرفًا، أرقام وحروف بلا I وL وO وU
host-detail-codes-empty = لا يوجد رمز لإضافته
host-detail-no-codes = يجوز للجميع التصويت هنا: لا يقبل الرموز إلا تصويت يحتاج إليها
