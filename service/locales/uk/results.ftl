# The results page, the presenter view and the picture of the results, as the server renders them.

results-title = { $title } – результати
screen-title = { $title } – на екрані
open-results = Відкрити ці результати
preview-hidden = { $state }. Результати поки що приховано.
preview-counted =
    { $people ->
        [one] { $state }. Пораховано { $people } людину.
        [few] { $state }. Пораховано { $people } людини.
        [many] { $state }. Пораховано { $people } людей.
       *[other] { $state }. Пораховано { $people } людини.
    }
picture-counted =
    { $people ->
        [one] Пораховано { $people } людину, { $at }
        [few] Пораховано { $people } людини, { $at }
        [many] Пораховано { $people } людей, { $at }
       *[other] Пораховано { $people } людини, { $at }
    }
printed-as-of = Дані на
no-script = Ці числа самі не змінюються: для цього потрібен JavaScript.
no-script-reload = Перезавантажте сторінку
no-script-newer = – і побачите новіші.
hidden-title = Результати поки що приховано
standings = Розподіл голосів
turnout-and-pace = Участь і темп
people-counted-label = Пораховано людей
votes-per-second = Голосів за секунду
chart-caption = Голосів за секунду, останні 5 хвилин
chart-ago = 5 хв тому
chart-now = зараз
vote-at = Голосуйте на
vote-link = Голосувати
table-summary = Результати таблицею
table-caption = Голоси за кожен варіант; частки від порахованих людей
table-option = Варіант
table-votes = Голоси
table-share = Частка
as-of = Станом на
light-as-of = Станом на { $at }
all-polls = Усі голосування
poll-state =
    { $state ->
        [draft] чернетка
        [scheduled] заплановане
        [open] триває
        [closed] завершене
        [archived] в архіві
       *[other] невідомо
    }
curtain-words = Їх покажуть за мить.
and-more = і ще { $count }
how-to-vote = Як проголосувати
qr-label = QR-код адреси нижче
scan-or-go = Скануйте або перейдіть на
screen-keys = Екран
key-full = на весь екран
key-hide = сховати
key-reveal = показати
key-previous = Попереднє голосування
key-next = Наступне голосування
