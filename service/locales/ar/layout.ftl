# The frame of all pages, and pages of problems.

skip = انتقل إلى المحتوى
problem-page-status = خطأ { $status }
preview-picture = نتائج التصويت: { $title }
back-to-ballot = العودة إلى ورقة التصويت
draft-title = لم يُفتح هذا التصويت بعد
