# The results page, the presenter view and the picture of the results, as the server renders them.

results-title = { $title } – results
screen-title = { $title } – on screen
open-results = Open these results
preview-hidden = { $state }. The results are hidden for now.
preview-counted =
    { $people ->
        [one] { $state }. { $people } person counted.
       *[other] { $state }. { $people } people counted.
    }
picture-counted =
    { $people ->
        [one] { $people } person counted, { $at }
       *[other] { $people } people counted, { $at }
    }
printed-as-of = Figures of
no-script = These figures do not move by themselves: they need JavaScript for that.
no-script-reload = Reload the page
no-script-newer = for newer ones.
hidden-title = Results are hidden for now
standings = Standings
turnout-and-pace = Turnout and pace
people-counted-label = People counted
votes-per-second = Votes per second
chart-caption = Votes per second, last 5 minutes
chart-ago = 5 min ago
chart-now = now
vote-at = Vote at
vote-link = Vote
table-summary = Results as a table
table-caption = Votes for each option; shares are of the people counted
table-option = Option
table-votes = Votes
table-share = Share
as-of = As of
light-as-of = As of { $at }
all-polls = All polls
poll-state =
    { $state ->
        [draft] draft
        [scheduled] scheduled
        [open] open
        [closed] closed
        [archived] archived
       *[other] unknown
    }
curtain-words = The presenter shows them in a moment.
and-more = and { $count } more
how-to-vote = How to vote
qr-label = QR code of the address below
scan-or-go = Scan, or go to
screen-keys = Screen
key-full = full screen
key-hide = hide
key-reveal = reveal
key-previous = Previous poll
key-next = Next poll
account-link = What became of every ballot
account-title = { $title } – account of all ballots
account-intro = What became of every ballot that was accepted. A ballot is accepted once its voter has read so. The numbers are taken at one moment, from both servers.
account-balanced = The account balances: every accepted ballot is in one of these lines.
account-missing = Ballots missing since { $since }: { $ballots }. They were accepted, and are in none of these lines. The people who run this poll must look for them.
account-surplus = Ballots too many since { $since }: { $ballots }. They are in these lines, and were not accepted. The people who run this poll must find out where they come from.
account-unknown = It is not known how many ballots were accepted: the server that counts them went back to an earlier state.
account-none = The account of this poll has not been taken yet.
account-until = Ballots that came in until
account-old = This account is old: no newer one could be taken.
account-ballots = Ballots
account-number = Number
account-meaning = What that means
account-counted = Counted
account-counted-words = They are in the result.
account-replaced = Replaced
account-replaced-words = Another ballot of the same voter counts.
account-out-of-time = Out of time
account-out-of-time-words = The poll was not open when they came in.
account-no-code = No such code
account-no-code-words = Their voter has no voting code of this poll.
account-dead = Set apart
account-dead-words = They cannot be read or counted, and are kept for the people who run this poll.
account-dropped = Dropped
account-dropped-words = They had been set apart, and the people who run this poll removed them.
account-waiting = Waiting
account-waiting-words = They are stored and will be counted next.
account-unexplained = Not explained
account-accepted = Accepted
account-number-unknown = not known
account-results = The results

# The page with the result of a past second.
past-link = The result at a past second
past-title = { $title } – as of { $at }
past-intro = The result as it stood at this second, added up from the public log: all ballots that had come in until then, each at the time at which it was accepted.
past-at = The result at
past-steps = Other seconds
past-seconds = { $number } s
past-minutes = { $number } min
past-agrees = The time series agrees: of the ballots that had come in until then, { $log } stand today.
past-differs = Log and time series differ. Of the ballots that had come in until then, { $log } stand today by the log, and { $series } by the series. That passes while ballots are being counted; if it stays, ask the people who run this poll.
