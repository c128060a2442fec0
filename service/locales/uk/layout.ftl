# The frame of all pages, and pages of problems.

skip = Перейти до вмісту
problem-page-status = Помилка { $status }
preview-picture = Результати голосування: { $title }
back-to-ballot = Назад до бюлетеня
draft-title = Це голосування ще не відкрите
