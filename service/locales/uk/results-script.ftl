# Sentences that the scripts of the results page and of the presenter view write; the server writes some of them first. They
# may hold variables and selections by number, and no other part of Fluent.

results-final = Остаточно: голосування завершено
results-counting-some = Завершено: підраховуємо останні { $waiting }
results-counting = Завершено: підраховуємо останні голоси
results-not-open = Ще не відкрите
results-open = Голосування триває
until = до
closed-at = завершено
opens-at = відкриється
hidden-not-published = Ті, хто проводить це голосування, їх не оприлюднили.
hidden-counting = Вони з’являться тут, щойно підрахують останні голоси.
hidden-until = Вони з’являться тут, щойно голосування завершиться, { $at }.
hidden-until-close = Вони з’являться тут, щойно голосування завершиться.
hidden-after-vote = Ви побачите їх, щойно проголосуєте, а всі — щойно голосування завершиться.
lead-tied = Нічия
lead-most = Найбільше голосів
lead-leading = Лідер
votes =
    { $votes ->
        [one] { $votes } голос
        [few] { $votes } голоси
        [many] { $votes } голосів
       *[other] { $votes } голосу
    }
people-counted =
    { $people ->
        [one] Пораховано { $people } людину.
        [few] Пораховано { $people } людини.
        [many] Пораховано { $people } людей.
       *[other] Пораховано { $people } людини.
    }
spoken-option = { $label }: { $share }, { $votes }
spoken-reveal = Результати тепер показано.
spoken-hidden = Результати тепер приховано.
spoken-lost = З’єднання втрачено: числа не змінюються.
spoken-back = З’єднання відновлено.
light-live = Наживо
light-silent = Немає новин уже { $seconds } с
light-stale = Застаріло з { $at }
light-reconnecting = Відновлюємо з’єднання…
light-reconnecting-as-of = Відновлюємо з’єднання… дані на { $at }
light-connecting = З’єднуємося…
chart-summary = Максимум { $peak }, у середньому { $mean } голосу за секунду
chart-empty = За останні 5 хвилин голосів не було
countdown-closes-at = завершиться { $at }
countdown-opens-at = відкриється { $at }
countdown-closes-in = завершиться через
countdown-opens-in = відкриється через
people-voted =
    { $people ->
        [one] людина проголосувала
        [few] людини проголосували
        [many] людей проголосували
       *[other] людини проголосували
    }
