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
account-link = Що сталося з кожним бюлетенем
account-title = { $title } – облік усіх бюлетенів
account-intro = Що сталося з кожним прийнятим бюлетенем. Бюлетень прийнято, щойно виборець це прочитав. Числа взято в один момент з обох серверів.
account-balanced = Облік сходиться: кожен прийнятий бюлетень є в одному з цих рядків.
account-missing = Бракує бюлетенів від { $since }: { $ballots }. Їх прийнято, але їх немає в жодному з цих рядків. Організатори цього голосування мають їх шукати.
account-surplus = Зайві бюлетені від { $since }: { $ballots }. Вони є в цих рядках, але їх не приймали. Організатори цього голосування мають з’ясувати, звідки вони.
account-unknown = Невідомо, скільки бюлетенів прийнято: сервер, який їх рахує, повернувся до попереднього стану.
account-none = Облік цього голосування ще не проведено.
account-until = Бюлетені, що надійшли до
account-old = Цей облік застарів: новішого провести не вдалося.
account-ballots = Бюлетені
account-number = Кількість
account-meaning = Що це означає
account-counted = Пораховано
account-counted-words = Вони є в результаті.
account-replaced = Замінено
account-replaced-words = Зараховано інший бюлетень тієї самої особи.
account-out-of-time = Невчасно
account-out-of-time-words = Голосування не було відкрите, коли вони надійшли.
account-no-code = Немає такого коду
account-no-code-words = Особа не має коду цього голосування.
account-dead = Відкладено
account-dead-words = Їх неможливо прочитати чи порахувати; вони збережені для організаторів цього голосування.
account-dropped = Відкинуто
account-dropped-words = Їх було відкладено, і організатори цього голосування їх вилучили.
account-waiting = Очікують
account-waiting-words = Вони збережені й будуть пораховані далі.
account-unexplained = Не пояснено
account-accepted = Прийнято
account-number-unknown = невідомо
account-results = Результати

# Сторінка з результатом за минулу секунду.
past-link = Результат за минулу секунду
past-title = { $title } – станом на { $at }
past-intro = Результат, яким він був у цю секунду, підрахований за відкритим журналом: усі бюлетені, що надійшли до того часу, кожен у час, коли його було прийнято.
past-at = Результат на
past-steps = Інші секунди
past-seconds = { $number } с
past-minutes = { $number } хв
past-agrees = Часовий ряд збігається: з бюлетенів, що надійшли до того часу, сьогодні зараховано { $log }.
past-differs = Журнал і часовий ряд розходяться. З бюлетенів, що надійшли до того часу, сьогодні зараховано { $log } за журналом і { $series } за рядом. Поки бюлетені рахують, це минає; якщо ні, запитайте тих, хто проводить це голосування.
