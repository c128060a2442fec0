# Sentences that the scripts of the results page and of the presenter view write; the server writes some of them first. They
# may hold variables and selections by number, and no other part of Fluent.

results-final = Final: voting has closed
results-counting-some = Closed: counting the last { $waiting }
results-counting = Closed: counting the last votes
results-not-open = Not open yet
results-open = Voting is open
until = until
closed-at = closed
opens-at = opens
hidden-not-published = The people who run this poll have not published them.
hidden-counting = They appear here as soon as the last votes are counted.
hidden-until = They appear here as soon as voting closes, { $at }.
hidden-until-close = They appear here as soon as voting closes.
hidden-after-vote = You see them once you have voted, and everybody sees them once voting has closed.
lead-tied = Tied
lead-most = Most votes
lead-leading = Leading
votes =
    { $votes ->
        [one] { $votes } vote
       *[other] { $votes } votes
    }
people-counted = { $people } people counted.
spoken-option = { $label }: { $share }, { $votes }
spoken-reveal = The results are shown now.
spoken-hidden = The results are hidden now.
spoken-lost = The connection is lost: the figures do not move.
spoken-back = The connection is back.
light-live = Live
light-silent = No news for { $seconds } s
light-stale = Stale since { $at }
light-reconnecting = Reconnecting…
light-reconnecting-as-of = Reconnecting… figures of { $at }
light-connecting = Connecting…
chart-summary = Peak { $peak }, mean { $mean } votes per second
chart-empty = No votes in the last 5 minutes
countdown-closes-at = closes { $at }
countdown-opens-at = opens { $at }
countdown-closes-in = closes in
countdown-opens-in = opens in
people-voted =
    { $people ->
        [one] person has voted
       *[other] people have voted
    }
