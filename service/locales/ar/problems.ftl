# Titles and details of problems. A detail is the rest of a sentence: it begins in lower case and has no full stop.

problem-already-voted = لقد صوّتَّ من قبل
problem-bad-code = الرمز غير معروف
problem-challenge-required = تلزم خطوة أخرى
problem-code-used = استُخدم هذا الرمز من قبل
problem-cross-site = ليس من هذا الموقع
problem-idempotency-key-reused = استُخدم Idempotency-Key من قبل
problem-invalid-choice = اختيار غير صالح
problem-malformed = طلب غير سليم
problem-method-not-allowed = الطريقة غير مسموحة
problem-not-found = غير موجود
problem-no-receipt = لا يوجد إيصال
problem-not-open = التصويت غير مفتوح
problem-results-hidden = النتائج مخفية
problem-too-large = كبير جدًا
problem-too-many-new-voters = مصوّتون جدد كثيرون جدًا
problem-too-many-wrong-codes = رموز خاطئة كثيرة جدًا
problem-too-slow = بطيء جدًا
problem-unavailable = حاول مرة أخرى بعد لحظة
problem-unknown-poll = تصويت غير معروف
problem-unsupported-media = نوع الوسائط غير مدعوم
detail-nothing-here = لا يوجد شيء في هذا العنوان
detail-no-poll = لا يوجد تصويت «{ $slug }»
detail-too-large = يجوز أن يحوي الطلب { $bytes } بايت على الأكثر
detail-method = لا يقبل هذا العنوان هذه الطريقة
detail-form = ليس للطلب الشكل الذي يتوقعه هذا العنوان
detail-polls-unknown = عمليات التصويت غير معروفة بعد
detail-poll-unknown = التصويت غير معروف بعد
detail-too-many-followers = تتابع صفحات كثيرة جدًا هذا التصويت؛ تسأل هذه الصفحة بدل ذلك من حين إلى آخر
detail-mark-or-abstain = حدّد خيارًا أولًا، أو اضغط زر عدم اختيار أي منها
detail-code-of-screen = لا يوجد تصويت له الرمز «{ $code }»؛ انظر إلى الشاشة مرة أخرى واكتب حروفه كبيرة أو صغيرة؛ ليس فيه أرقام ولا حروف علة
detail-not-safe = لا يمكن حفظ أوراق التصويت بأمان الآن
detail-no-storing = لا يمكن حفظ أوراق التصويت الآن
detail-full = أوراق كثيرة جدًا تنتظر العدّ
detail-no-receipts = هذا التصويت لا يعطي إيصالات
detail-receipt-unknown = لا يُعرف الآن هل يوجد صوت لهذا المتصفح؛ حاول مرة أخرى قريبًا
detail-no-vote-here = لا يوجد صوت لهذا المتصفح في هذا التصويت
detail-token = لا يمكن استخدام رمز الصفحة: { $reason ->
        [expired] انتهت صلاحيته
        [forged] لم توقّعه هذه الخدمة لهذا الغرض
       *[other] ليس سليمًا
    }؛ أعِد تحميل الصفحة وصوّت مرة أخرى
detail-cookie = لا يمكن استخدام ملف تعريف الارتباط: { $reason ->
        [expired] انتهت صلاحيته
        [forged] لم توقّعه هذه الخدمة لهذا الغرض
       *[other] ليس سليمًا
    }؛ أُزيل، أعِد تحميل الصفحة وصوّت مرة أخرى
detail-not-stored = تعذّر حفظ صوتك؛ حاول مرة أخرى: لا يُحسب مرتين أبدًا
detail-being-set-up = يجري إعداد هذا التصويت؛ حاول مرة أخرى بعد لحظة
detail-key-reused = جاء هذا الـ Idempotency-Key من قبل مع اختيارات أخرى؛ استخدم مفتاحًا جديدًا لورقة جديدة
detail-cross-site = جاءت هذه الورقة من صفحة موقع آخر؛ افتح ورقة التصويت في موقعها وصوّت هناك
detail-needs-token = يجب أن ترسل صفحة الموقع الآخر الرمز الذي يعيده GET /api/polls/{ "{" }slug{ "}" }
detail-too-many-voters = لم يُحفظ صوتك بعد: يأتي عدد كبير جدًا من المصوّتين الجدد من شبكتك، ويمكنها إحضار التالي بعد نحو { $seconds } ث
detail-too-many-voters-closing = لم يُحفظ صوتك بعد: يأتي عدد كبير جدًا من المصوّتين الجدد من شبكتك، ويمكنها إحضار التالي بعد نحو { $seconds } ث؛ يُغلق التصويت قبل ذلك، بعد { $left } ث
detail-stands = صوتك لصالح { $labels } قائم
detail-stands-none = ورقتك التي لا تختار أيًّا من الخيارات قائمة
detail-not-opened = لم يُفتح هذا التصويت بعد؛ صوّت عند فتحه
detail-has-closed = أُغلق هذا التصويت، لذلك لا تُحسب هذه الورقة
detail-takes-none = لا يقبل هذا التصويت أوراقًا الآن
detail-media-type = أرسل ورقة التصويت بصيغة { $type }
detail-challenge = لم يُحفظ صوتك بعد: على المصوّتين الجدد حل تحدٍّ أولًا؛ حُلّ التحدي الموجود في هذا الرد وأرسل الورقة نفسها مرة أخرى بصفتك المصوّت نفسه مع الحل
detail-challenge-wrong = لم يُحفظ صوتك بعد: لم يُقبل حل التحدي ({ $reason })؛ حُلّ التحدي الموجود في هذا الرد وأرسل الورقة نفسها مرة أخرى بصفتك المصوّت نفسه مع الحل
detail-unchecked = لم يُحفظ صوتك بعد: لا يمكن التحقق الآن من أنك إنسان؛ حاول مرة أخرى بعد { $seconds } ث
detail-bad-code = هذا الرمز غير معروف؛ قارنه بدعوتك حرفًا حرفًا: XXXX-XXXX-XXXX-XXXX
detail-no-code = أدخل رمز التصويت بالشكل XXXX-XXXX-XXXX-XXXX؛ جاءك مع الدعوة
detail-code-again = اكتب رمز التصويت مرة أخرى لتغيير صوتك
detail-code-used = استُخدم هذا الرمز وحُفظت ورقته؛ المتصفح الذي أرسلها وحده يعرض الاختيارات
detail-wrong-codes = يأتي عدد كبير جدًا من رموز التصويت الخاطئة من شبكتك؛ تحقّق من الرمز وحاول مرة أخرى بعد دقيقة
detail-ended-early = انتهى الطلب مبكرًا جدًا
detail-too-slow = لم يصل الطلب خلال { $ms } مللي ثانية؛ أرسله مرة أخرى
detail-choose-exactly = اختر { $min } بالضبط، لا { $given }
detail-choose-range = اختر من { $min } إلى { $max }، لا { $given }
detail-no-option = «{ $name }» ليس خيارًا؛ اختر من بين { $options }
detail-no-history = لا يمكن قراءة السجل الآن
detail-no-account = لا يمكن قراءة الحساب الآن
detail-no-account-yet = لم يُؤخذ حساب هذا التصويت بعد
detail-no-picture = لا يمكن رسم الصورة الآن
detail-no-second = هذا العنوان لا يسمّي ثانية؛ اكتب واحدة مثل 2026-05-16T21:05:30Z
detail-second-to-come = لم تنته هذه الثانية بعد
detail-log-too-long = هذا السجل أطول من أن يُجمع من أجل صفحة؛ يستطيع القائمون على هذا التصويت سؤال `votectl poll at { $poll }`، ويستطيع الجميع جمعه بالأمر `votectl verify`
detail-no-log = ليس لهذا التصويت سجل علني، ولا يحصل المصوتون فيه على إيصالات
detail-log-away = لا يمكن قراءة السجل العلني حاليًا
detail-log-wrong = لا يمكن جمع السجل العلني: أحد القيود غير مقروء أو يناقض القيود التي قبله؛ أخبر القائمين على هذا التصويت
detail-log-deleted = حُذفت قيود هذا السجل عندما خُتم التصويت أو مُحيت أصواته؛ وتبقى بصماته ونقاط التحقق
detail-too-many-viewers = يشاهد عدد كبير جدًا من الناس؛ ستحاول هذه الصفحة مرة أخرى تلقائيًا
detail-results-hidden = لا تُعرض نتائج هذا التصويت الآن
