# Sentences that the scripts of the ballot page write; the server writes some of them first. They may hold variables and
# selections by number, and no other part of Fluent.

state-open = التصويت مفتوح
state-closed = أُغلق التصويت
state-not-open = لم يُفتح بعد
closes-until = حتى
closes-since = منذ
time-left = بقي { $left }
closing-now = يُغلق الآن
opens-in = بعد { $left }
opening-now = يُفتح الآن
span-seconds = { $s } ث
span-minutes = { $m } د { $s } ث
span-hours = { $h } س { $m } د
span-days =
    { $days ->
        [one] يوم واحد
        [two] يومان
        [few] { $days } أيام
        [many] { $days } يومًا
       *[other] { $days } يوم
    } { $h } س
thanks = شكرًا على تصويتك.
no-vote-here = لا يوجد صوت لك مسجَّل في هذا المتصفح.
note-change = يُحسب صوتك مرة واحدة. يمكنك تغييره إلى أن يُغلق التصويت.
note-stands = يُحسب صوتك مرة واحدة، وهو ثابت.
hint-remembered = اترك هذا فارغًا لتغيير الصوت أعلاه. يُدخل الشخص الآخر رمزه الخاص.
policy-another = يمكن لشخص آخر أن يصوّت هنا برمزه الخاص. لكل رمز صوت واحد.
chosen-count = حُدِّد { $marked } من { $max }
send-vote = صوّت
send-vote-for = صوّت لصالح { $choice }
send-vote-for-many =
    { $count ->
        [two] صوّت لخيارين
        [few] صوّت لـ { $count } خيارات
        [many] صوّت لـ { $count } خيارًا
       *[other] صوّت لـ { $count } خيار
    }
send-change = غيّر صوتي
send-change-to = غيّر صوتي إلى { $choice }
send-change-to-many =
    { $count ->
        [two] غيّر صوتي إلى خيارين
        [few] غيّر صوتي إلى { $count } خيارات
        [many] غيّر صوتي إلى { $count } خيارًا
       *[other] غيّر صوتي إلى { $count } خيار
    }
fault-stands = هذا هو الصوت القائم.
fault-stands-words = حدّد خيارًا آخر لتغييره.
fault-not-sent = لم يُرسَل.
fault-none = حدّد خيارًا أولًا، أو اضغط «لا شيء من هذه».
fault-few =
    { $min ->
        [1] حدّد خيارًا أولًا.
        [two] حدّد خيارين على الأقل.
        [few] حدّد { $min } خيارات على الأقل.
        [many] حدّد { $min } خيارًا على الأقل.
       *[other] حدّد { $min } خيار على الأقل.
    }
fault-many = حدّد { $max } على الأكثر؛ المحدَّد الآن { $marked }.
enter-code = أدخل رمز التصويت.
checking = جارٍ التحقق…
checking-person = أثبت أدناه أنك إنسان. يُرسَل صوتك تلقائيًا بعد ذلك.
checking-work = يُجري جهازك عملية حسابية للحظة كي لا تستطيع البرامج التصويت مرات كثيرة. يُرسَل صوتك تلقائيًا بعد ذلك.
checking-share = { $share } %
check-failed = لم ينجح التحقق. أعِد تحميل هذه الصفحة وحاول مرة أخرى.
check-too-old = أعِد تحميل هذه الصفحة: فهي أقدم من الخدمة.
check-no-calculation = لا يستطيع متصفحك إجراء الحساب. جرّب متصفحًا آخر.
check-person-failed = لم ينجح التحقق من أنك إنسان. أعِد تحميل هذه الصفحة وحاول مرة أخرى.
check-person-blocked = لا يمكن تحميل التحقق من أنك إنسان. قد يكون السبب مانع نصوص برمجية.
not-stored = لم يُحفظ صوتك
accepted = قُبل: صوّتَّ لصالح
accepted-none = قُبل: لم تختر أيًّا من الخيارات
stands = صوتك قائم: صوّتَّ لصالح
stands-other = سبق أن صوّتَّ لصالح
stands-none = ورقتك قائمة: لم تختر أيًّا من الخيارات
stopped = توقّفت المحاولة.
no-answer = لا يوجد رد من الخادم.
unconfirmed = لم يُؤكَّد صوتك. اضغط الزر للمحاولة مرة أخرى: لا يُحسب مرتين أبدًا.
sending = جارٍ إرسال صوتك…
waiting = لم يُؤكَّد بعد.
waiting-words = ستُعاد المحاولة تلقائيًا؛ أبقِ هذه الصفحة مفتوحة.
wait-network = لا يوجد اتصال بالخادم.
wait-slow = الاتصال بطيء: لم يصل الصوت كاملًا.
wait-server = الخادم مشغول.
wait-limit = يرسل عدد كبير جدًا من الناس في شبكتك في اللحظة نفسها.
wait-closing-soon = التصويت على وشك الإغلاق: الصوت الذي لا يُقبل قبل ذلك لا يُحسب.
wait-closing-over = أُغلق التصويت في الأثناء: تسأل هذه الصفحة هل حُفظ صوتك في الوقت المناسب.
try-in = المحاولة { $attempt } بعد { $left }.
try-now = المحاولة { $attempt } الآن…
not-voted-yet = لم تصوّت بعد
not-voted-yet-words = تستطيع الخدمة أن ترى من جديد هل صوّتَّ.
too-old = هذه الصفحة قديمة جدًا للتصويت بها.
too-old-words = أعِد تحميلها وصوّت مرة أخرى. إذا لم يُفد ذلك فأغلقها وافتح العنوان من جديد.
not-stored-title = لم يُحفظ صوتك.
check-no-success = لم ينجح التحقق. أعِد تحميل هذه الصفحة وصوّت مرة أخرى.
poll-gone = لم يعد هذا التصويت موجودًا.
poll-gone-words = اسأل من أعطاك العنوان.
not-taken = لم يُؤخذ صوتك.
not-taken-words = أعِد تحميل هذه الصفحة وصوّت مرة أخرى.
