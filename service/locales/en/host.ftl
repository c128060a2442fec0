# Pages and problems of the host's service. A detail is the rest of a sentence: it begins in lower case and has no full stop.

host-error-title = Error: { $title }
host-person = Signed in as { $name }
host-sign-out = Sign out
host-go-back = Go back
host-sign-in = Sign in
host-sign-in-link = This link signs you in once.
host-token = Your token
host-token-hint = 64 digits and letters, as votectl printed them when you were added
host-token-confirm = Your token, to confirm
host-token-confirm-hint = This cannot be taken back, and you signed in more than five minutes ago
host-polls = Your polls
host-all-polls = All polls
host-no-polls = There is no poll yet.
host-voters-counted =
    { $voters ->
        [one] { $voters } voter counted
       *[other] { $voters } voters counted
    }
host-opens = opens { $at }
host-closes = closes { $at }
host-create = Create a poll
host-create-send = Create the poll
host-field-slug = Name in addresses
host-field-slug-hint = Small letters a to z, digits and hyphens, such as cats-vs-dogs
host-field-title = Question
host-field-options = Options
host-field-options-hint = One in each line, 2 to 63; they never change once somebody has voted, except for their spelling
host-field-option = Option `{ $slug }`
host-field-choices = How many options a ballot may choose
host-field-second = A second vote
host-second-keep = The first vote counts
host-second-replace = Voters may change their vote
host-field-voters = Who may vote
host-voters-open = Everybody, once in each browser
host-voters-code = Whoever has a voting code
host-field-seen = Who sees the results
host-seen-always = Everybody, from the start
host-seen-close = Everybody, once the poll has closed
host-seen-vote = Whoever has voted, and everybody once the poll has closed
host-seen-admin = Organisers alone, until somebody reveals them
host-field-opens = Opens
host-field-opens-draft = Opens (leave it empty for a draft)
host-field-closes = Closes (leave it empty to close the poll by hand)
host-field-closes-now = Closes (leave it empty to close the poll now)
host-field-later = By how much later, or until when
host-field-time-hint = now, +10m, +2h, or a time such as 2026-03-01 20:00 Europe/Berlin
host-field-hide = Until when
host-hide-close = Until the poll has closed and all votes are counted
host-hide-vote = Until one has voted, or the poll has closed
host-hide-revealed = Until somebody reveals them
host-tasks = Tasks
host-task-open = Open the poll
host-task-extend = Extend the poll
host-task-close = Close the poll
host-task-reveal = Reveal the results
host-task-hide = Hide the results
host-task-correct = Correct the texts
host-task-cancel = Cancel the opening
host-task-archive = Archive the poll
host-does-open = From the opening time on, everybody who knows the address can vote. A time that is not reached yet can be changed up to five seconds before.
host-does-extend = The poll closes later than it would. Open ballot pages show the new time within two seconds.
host-does-close = A poll closes for good. Ballots that came in before are counted, even if that takes a moment longer.
host-does-reveal = Everybody sees the results from now on, also while the poll is open.
host-does-hide = Pages and the API no longer show the results. Whoever has seen them has seen them.
host-does-correct = The new texts appear on open pages within two seconds. Votes stay with their options, and the earlier texts stay listed on the poll’s page.
host-does-cancel = The poll becomes a draft again, with neither an opening nor a closing time.
host-does-archive = The poll leaves all pages for voters, for good. Votes and results are kept. What Redis knows of its voters is forgotten.
host-done-create = The poll is created.
host-done-open = The opening time is set.
host-done-extend = The closing time is later now.
host-done-close = The closing time is set.
host-done-reveal = Everybody sees the results now.
host-done-hide = The results are hidden now.
host-done-correct = The new texts are stored. The earlier ones stay listed below.
host-done-cancel = The opening is cancelled. The poll is a draft again.
host-done-archive = The poll is archived.
host-seals = Archiving this poll also seals it. Only this command does it:
host-results = Results
host-not-opened = The poll has not opened.
host-not-final-open = Not final: voting is open.
host-not-final-counting = Not final: the last ballots are being counted.
host-final = Final: every accepted ballot is counted.
host-waiting =
    { $ballots ->
        [0] No accepted ballot waits to be counted.
        [one] { $ballots } accepted ballot is not counted yet.
       *[other] { $ballots } accepted ballots are not counted yet.
    }
host-waiting-unknown = How many accepted ballots are not counted yet is not known.
host-as-of = As of { $at }.
host-reload = Reload
host-column-option = Option
host-column-votes = Votes
host-column-share = Share
host-rules = Rules
host-rule-opens = Opens
host-rule-closes = Closes
host-no-time = no time is set
host-by-hand = by hand
host-rule-choices = Choices of a ballot
host-choices = { $min } to { $max }
host-rule-ballot = Ballot
host-rule-results = Results page
host-corrections = Corrections
host-steps = Last steps
host-column-when = When
host-column-field = Field
host-column-before = Before
host-column-after = After
host-column-who = Who
host-column-step = Step
problem-forged = Open the page again
problem-needs-tls = Come back through TLS
problem-not-signed-in = Sign in first
problem-refused = This is not possible
problem-too-many-attempts = Too many attempts
problem-unconfirmed = Show your token once more
host-detail-session-ended = your session has ended, and nothing was changed
host-detail-earlier-session = the page is of an earlier session: open it again
host-detail-other-site = a page of another site sent this request
host-detail-needs-tls = tokens cross no network without TLS: use an address that begins with https
host-detail-wrong-token = this token is not valid, or was revoked
host-detail-used-link = this link was used already, or is older than 15 minutes; ask for another one, or use your token
host-detail-attempts = too many attempts from your network were wrong: wait a little
host-detail-unconfirmed = this cannot be taken back: type your token to confirm it
host-detail-database = the database cannot be asked at the moment
host-detail-away = a server cannot be reached at the moment; look at the poll before you try again
host-detail-failed = the order could not be carried out; the log of the service says why
host-detail-not-yours = you may not create a poll `{ $slug }`: it is none of those named for you
host-detail-not-now = the settings and the state of the poll do not allow this now
host-detail-taken = there is a poll with the name `{ $slug }` already
host-detail-no-option = the poll has no option `{ $slug }`
host-detail-slug = the name in addresses has 1 to 63 characters: small letters a to z, digits, and hyphens between them
host-detail-title = the question has 1 to { $max } characters, not { $given }
host-detail-options = a poll has 2 to { $max } options, not { $given }
host-detail-choices = a ballot may choose 1 to { $max } options, not `{ $given }`
host-detail-time = `{ $given }` is no time: write now, +10m, +2h, +1d, or a time such as 2026-03-01 20:00 Europe/Berlin
host-detail-time-zone = the time `{ $given }` needs its zone, as in { $given } Europe/Berlin
host-detail-no-zone = there is no time zone `{ $given }`; an example is Europe/Berlin
host-detail-say-when = say by how much, or until when
host-detail-value = `{ $given }` is no value of { $name }
host-detail-needs-opening = a closing time needs an opening time
host-detail-is-draft = the poll has not opened: it is a draft
host-detail-is-over = this cannot be changed any more, for the poll is { $state ->
        [archived] archived
       *[other] closed
    }
host-detail-not-opened = the poll has not opened: give the time when it will close
host-detail-closes-soon = the poll closes by itself within seconds
host-detail-opens-soon = the poll opens by itself within seconds
host-detail-too-early = the poll can close { $ms } ms from now at the earliest: choose a later time, or none
host-detail-closes-first = the poll would close before it opens: choose a later closing time
host-detail-is-open = the poll is open already
host-detail-has-opened = the poll has opened: close it to end it
host-detail-no-end = the poll has no closing time: close it, and give the time
host-detail-ends-later = the poll closes at { $at } already: choose a later time
host-detail-past = a poll cannot open in the past: choose a later time
host-detail-close-first = the poll is open, or will open: close it first
host-detail-seals = this poll is sealed when it is archived, which `votectl poll archive` alone can do
host-codes = Voting codes
host-codes-new = New codes
host-codes-new-does = The next page shows the new codes, once. Only their hashes are stored, so nobody can show them again: print the page.
host-codes-count = How many
host-codes-count-hint = 1 to 1,000 at a time
host-codes-issue = Make codes
host-codes-own = Codes that people have already
host-codes-own-does = They become codes of this poll, too. Codes that the poll has already stay as they are.
host-codes-field = Codes
host-codes-field-hint = One in each line: 16 digits and letters without I, L, O and U; hyphens and blanks do not count
host-codes-import = Add these codes
host-codes-added =
    { $added ->
        [one] { $added } code added.
       *[other] { $added } codes added.
    } { $there ->
        [0] None was there before.
       *[other] Already there: { $there }.
    }
host-codes-guessable = Some of these codes can be guessed from others, or were made up. Whoever guesses one can vote with it.
host-cards = New voting codes
host-cards-note = Print this page now, and cut along the dashed lines. Once you leave it, nobody can show these codes again. Whoever has one can vote with it.
host-cards-picture = QR code of the personal link
host-cards-how = Scan the picture, or open the ballot and type this code. It counts once. Keep it to yourself.
host-download = Download:
host-detail-count = make 1 to { $max } codes at a time, not `{ $given }`
host-detail-no-code = line { $line } is no code, and nothing was added: a code has 16 characters, digits and letters without I, L, O and U
host-detail-codes-empty = there is no code to add
host-detail-no-codes = anybody may vote in this poll: only a poll that needs codes takes them
