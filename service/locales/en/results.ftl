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
