# Сторінки та проблеми служби для організаторів. Подробиця — це решта речення: без крапки наприкінці.

host-error-title = Помилка: { $title }
host-person = Ви увійшли як { $name }
host-sign-out = Вийти
host-go-back = Назад
host-sign-in = Увійти
host-sign-in-link = Це посилання дає увійти один раз.
host-token = Ваш ключ
host-token-hint = 64 цифри й літери, як їх показав votectl, коли вас додали
host-token-confirm = Ваш ключ, для підтвердження
host-token-confirm-hint = Цього не можна скасувати, а ви увійшли понад п’ять хвилин тому
host-polls = Ваші голосування
host-all-polls = Усі голосування
host-no-polls = Голосувань ще немає.
host-voters-counted =
    { $voters ->
        [one] враховано { $voters } особу
        [few] враховано { $voters } особи
       *[many] враховано { $voters } осіб
    }
host-opens = відкриття { $at }
host-closes = завершення { $at }
host-create = Створити голосування
host-create-send = Створити голосування
host-field-slug = Назва в адресах
host-field-slug-hint = Малі латинські літери від a до z, цифри й дефіси, наприклад cats-vs-dogs
host-field-title = Запитання
host-field-options = Варіанти
host-field-options-hint = По одному в рядку, від 2 до 63; щойно хтось проголосував, змінюється лише їх написання
host-field-option = Варіант «{ $slug }»
host-field-choices = Скільки варіантів можна вибрати в бюлетені
host-field-second = Другий голос
host-second-keep = Враховується перший голос
host-second-replace = Голос можна змінити
host-field-voters = Хто може голосувати
host-voters-open = Усі, один раз у кожному браузері
host-voters-code = Хто має код для голосування
host-field-seen = Хто бачить результати
host-seen-always = Усі, від самого початку
host-seen-close = Усі, щойно голосування завершиться
host-seen-vote = Хто проголосував, а після завершення — усі
host-seen-admin = Лише організатори, доки хтось їх не відкриє
host-field-opens = Відкриття
host-field-opens-draft = Відкриття (залиште порожнім для чернетки)
host-field-closes = Завершення (залиште порожнім, щоб завершити голосування вручну)
host-field-closes-now = Завершення (залиште порожнім, щоб завершити голосування зараз)
host-field-later = На скільки пізніше або до якого часу
host-field-time-hint = now, +10m, +2h або час на зразок 2026-03-01 20:00 Europe/Berlin
host-field-hide = До якого часу
host-hide-close = Доки голосування не завершиться і всі голоси не буде підраховано
host-hide-vote = Доки людина не проголосує або голосування не завершиться
host-hide-revealed = Доки хтось їх не відкриє
host-tasks = Завдання
host-task-open = Відкрити голосування
host-task-extend = Подовжити голосування
host-task-close = Завершити голосування
host-task-reveal = Відкрити результати
host-task-hide = Приховати результати
host-task-correct = Виправити тексти
host-task-cancel = Скасувати відкриття
host-task-archive = Архівувати голосування
host-does-open = Від часу відкриття голосувати може кожен, хто знає адресу. Час, який ще не настав, можна змінити не пізніше ніж за п’ять секунд до нього.
host-does-extend = Голосування завершиться пізніше. Відкриті сторінки покажуть новий час за дві секунди.
host-does-close = Голосування завершується остаточно. Бюлетені, що надійшли раніше, буде підраховано, навіть якщо це триватиме трохи довше.
host-does-reveal = Відтепер результати бачать усі, також поки голосування триває.
host-does-hide = Сторінки та API більше не показують результатів. Хто їх бачив, той їх бачив.
host-does-correct = Нові тексти з’являться на відкритих сторінках за дві секунди. Голоси залишаються зі своїми варіантами, а попередні тексти — на сторінці голосування.
host-does-cancel = Голосування знову стає чернеткою, без часу відкриття й завершення.
host-does-archive = Голосування остаточно зникає з усіх сторінок для виборців. Голоси й результати зберігаються. Те, що Redis знає про виборців, забувається.
host-done-create = Голосування створено.
host-done-open = Час відкриття встановлено.
host-done-extend = Час завершення тепер пізніший.
host-done-close = Час завершення встановлено.
host-done-reveal = Тепер результати бачать усі.
host-done-hide = Тепер результати приховано.
host-done-correct = Нові тексти збережено. Попередні наведено нижче.
host-done-cancel = Відкриття скасовано. Голосування знову чернетка.
host-done-archive = Голосування в архіві.
host-seals = Архівування також запечатує це голосування. Це робить лише ця команда:
host-results = Результати
host-not-opened = Голосування ще не відкрито.
host-not-final-open = Не остаточно: голосування триває.
host-not-final-counting = Не остаточно: підраховуються останні бюлетені.
host-final = Остаточно: кожен прийнятий бюлетень підраховано.
host-waiting =
    { $ballots ->
        [0] Жоден прийнятий бюлетень не чекає на підрахунок.
        [one] { $ballots } прийнятий бюлетень ще не підраховано.
        [few] { $ballots } прийняті бюлетені ще не підраховано.
       *[many] { $ballots } прийнятих бюлетенів ще не підраховано.
    }
host-waiting-unknown = Невідомо, скільки прийнятих бюлетенів ще не підраховано.
host-as-of = Станом на { $at }.
host-reload = Перезавантажити
host-column-option = Варіант
host-column-votes = Голоси
host-column-share = Частка
host-rules = Правила
host-rule-opens = Відкриття
host-rule-closes = Завершення
host-no-time = час не встановлено
host-by-hand = вручну
host-rule-choices = Вибір у бюлетені
host-choices = від { $min } до { $max }
host-rule-ballot = Бюлетень
host-rule-results = Сторінка результатів
host-corrections = Виправлення
host-steps = Останні кроки
host-column-when = Коли
host-column-field = Поле
host-column-before = До
host-column-after = Після
host-column-who = Хто
host-column-step = Крок
problem-forged = Відкрийте сторінку ще раз
problem-needs-tls = Поверніться через TLS
problem-not-signed-in = Спершу увійдіть
problem-refused = Це неможливо
problem-too-many-attempts = Забагато спроб
problem-unconfirmed = Покажіть свій ключ ще раз
host-detail-session-ended = ваш сеанс завершився, і нічого не змінено
host-detail-earlier-session = сторінка належить до попереднього сеансу: відкрийте її ще раз
host-detail-other-site = цей запит надіслала сторінка іншого сайту
host-detail-needs-tls = ключі не проходять жодної мережі без TLS: скористайтеся адресою, що починається з https
host-detail-wrong-token = цей ключ недійсний або його відкликано
host-detail-used-link = це посилання вже використано, або йому понад 15 хвилин; попросіть інше або скористайтеся своїм ключем
host-detail-attempts = забагато спроб із вашої мережі були хибними: зачекайте трохи
host-detail-unconfirmed = цього не можна скасувати: введіть свій ключ, щоб підтвердити
host-detail-database = базу даних зараз не можна запитати
host-detail-away = сервер зараз недоступний; подивіться на голосування, перш ніж пробувати ще раз
host-detail-failed = наказ не вдалося виконати; журнал служби каже, чому
host-detail-not-yours = ви не можете створити голосування «{ $slug }»: його немає серед названих для вас
host-detail-not-now = налаштування і стан голосування зараз цього не дозволяють
host-detail-taken = голосування з назвою «{ $slug }» уже є
host-detail-no-option = у голосуванні немає варіанта «{ $slug }»
host-detail-slug = назва в адресах має від 1 до 63 знаків: малі латинські літери від a до z, цифри та дефіси між ними
host-detail-title = запитання має від 1 до { $max } знаків, а не { $given }
host-detail-options = голосування має від 2 до { $max } варіантів, а не { $given }
host-detail-choices = у бюлетені можна вибрати від 1 до { $max } варіантів, а не «{ $given }»
host-detail-time = «{ $given }» — не час: напишіть now, +10m, +2h, +1d або час на зразок 2026-03-01 20:00 Europe/Berlin
host-detail-time-zone = часу «{ $given }» потрібен часовий пояс, наприклад { $given } Europe/Berlin
host-detail-no-zone = часового поясу «{ $given }» немає; приклад: Europe/Berlin
host-detail-say-when = скажіть, на скільки або до якого часу
host-detail-value = «{ $given }» не є значенням { $name }
host-detail-needs-opening = для часу завершення потрібен час відкриття
host-detail-is-draft = голосування не відкрито: це чернетка
host-detail-is-over = цього вже не можна змінити, бо голосування { $state ->
        [archived] в архіві
       *[other] завершене
    }
host-detail-not-opened = голосування не відкрито: вкажіть час, коли воно завершиться
host-detail-closes-soon = голосування за кілька секунд завершиться саме
host-detail-opens-soon = голосування за кілька секунд відкриється саме
host-detail-too-early = голосування може завершитися щонайраніше за { $ms } мс: виберіть пізніший час або жодного
host-detail-closes-first = голосування завершилося б до відкриття: виберіть пізніше завершення
host-detail-is-open = голосування вже триває
host-detail-has-opened = голосування відкрито: завершіть його
host-detail-no-end = голосування не має часу завершення: завершіть його і вкажіть час
host-detail-ends-later = голосування і так завершується { $at }: виберіть пізніший час
host-detail-past = голосування не може відкритися в минулому: виберіть пізніший час
host-detail-close-first = голосування триває або ще відкриється: спершу завершіть його
host-detail-seals = це голосування запечатується під час архівування, а це може лише `votectl poll archive`
host-codes = Коди для голосування
host-codes-new = Нові коди
host-codes-new-does = Наступна сторінка покаже нові коди, один раз. Зберігаються лише їхні геші, тож ніхто не зможе показати їх знову: надрукуйте сторінку.
host-codes-count = Скільки
host-codes-count-hint = Від 1 до 1000 за раз
host-codes-issue = Створити коди
host-codes-own = Коди, які люди вже мають
host-codes-own-does = Вони теж стануть кодами цього голосування. Коди, які воно вже має, залишаться без змін.
host-codes-field = Коди
host-codes-field-hint = По одному в рядку: 16 цифр і літер без I, L, O та U; дефіси й пропуски не враховуються
host-codes-import = Додати ці коди
host-codes-added = Додано кодів: { $added }. { $there ->
        [0] Жодного ще не було.
       *[other] Уже були: { $there }.
    }
host-codes-guessable = Деякі з цих кодів можна вгадати за іншими, або вони вигадані. Хто вгадає код, зможе з ним проголосувати.
host-cards = Нові коди для голосування
host-cards-note = Надрукуйте цю сторінку зараз і розріжте по пунктиру. Коли ви її залишите, ніхто не зможе показати ці коди знову. Хто має код, може з ним проголосувати.
host-cards-picture = QR-код особистого посилання
host-cards-how = Відскануйте зображення або відкрийте бюлетень і введіть цей код. Він діє один раз. Нікому його не показуйте.
host-download = Завантажити:
host-detail-count = створюйте від 1 до { $max } кодів за раз, а не «{ $given }»
host-detail-no-code = рядок { $line } не є кодом, і нічого не додано: код має 16 знаків, цифри та літери без I, L, O та U
host-detail-codes-empty = немає коду, який можна додати
host-detail-no-codes = у цьому голосуванні може голосувати кожен: коди приймає лише те, якому вони потрібні
