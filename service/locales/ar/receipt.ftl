# The page that checks a receipt, as the server renders it.

receipt-title = { $title } – التحقق من إيصال
receipt-link = تحقق من إيصالك
receipt-intro = الإيصال وعد موقَّع بأن ورقة الاقتراع موجودة في السجل العلني لهذا التصويت. تتحقق هذه الصفحة منه في متصفحك بمقارنته بالسجل المنشور. لا يُرسَل الإيصال إلى أحد؛ يُرسَل فقط رقم ورقته ورقمه العشوائي للعثور على قيده.
receipt-no-script = تحتاج هذه الصفحة إلى JavaScript لأن متصفحك هو الذي يتحقق.
receipt-none = لا يعطي هذا التصويت إيصالات وليس له سجل علني.
receipt-paste = ألصق الإيصال
receipt-file = أو اختر الملف
receipt-button = تحقق
