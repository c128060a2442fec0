# Sentences that the scripts of the ballot page write; the server writes some of them first. They may hold variables and
# selections by number, and no other part of Fluent.

state-open = Voting is open
state-closed = Voting has closed
state-not-open = Not open yet
closes-until = until
closes-since = since
time-left = { $left } left
closing-now = closing now
opens-in = in { $left }
opening-now = opening now
span-seconds = { $s } s
span-minutes = { $m } min { $s } s
span-hours = { $h } h { $m } min
span-days =
    { $days ->
        [one] { $days } day
       *[other] { $days } days
    } { $h } h
thanks = Thank you for voting.
no-vote-here = No vote of yours is recorded in this browser.
note-change = Your vote is counted once. You can change it until the poll closes.
note-stands = Your vote is counted once; it stands.
hint-remembered = Leave this empty to change the vote above. Another person enters a code of their own.
policy-another = Another person can vote here, with a code of their own. Each code has one vote.
chosen-count = { $marked } of { $max } marked
send-vote = Vote
send-vote-for = Vote for { $choice }
send-vote-for-many = Vote for { $count } choices
send-change = Change my vote
send-change-to = Change my vote to { $choice }
send-change-to-many = Change my vote to { $count } choices
fault-stands = This is the vote that stands.
fault-stands-words = Mark another choice to change it.
fault-not-sent = Not sent.
fault-none = Mark a choice first, or press “None of these”.
fault-few =
    { $min ->
        [1] Mark a choice first.
       *[other] Mark at least { $min } choices.
    }
fault-many = Mark at most { $max } choices; { $marked } are marked now.
enter-code = Enter your voting code.
checking = Checking…
checking-person = Show below that you are a person. Your vote is sent by itself after that.
checking-work = Your device calculates for a moment, so that programs cannot vote many times. Your vote is sent by itself after that.
checking-share = { $share } %
check-failed = The check did not work. Reload this page and try again.
check-too-old = Reload this page: it is older than the service.
check-no-calculation = Your browser cannot do the calculation. Try another browser.
check-person-failed = The check that you are a person did not work. Reload this page and try again.
check-person-blocked = The check that you are a person cannot be loaded. A blocker of scripts may be the reason.
not-stored = Your vote is not stored
accepted = Accepted: you voted for
accepted-none = Accepted: you chose none of the options
stands = Your vote stands: you voted for
stands-other = You had already voted for
stands-none = Your ballot stands: you chose none of the options
stopped = Stopped.
no-answer = No answer from the server.
unconfirmed = Your vote is not confirmed. Press the button to try again: it is never counted twice.
sending = Sending your vote…
waiting = Not confirmed yet.
waiting-words = Trying again by itself; keep this page open.
wait-network = No connection to the server.
wait-slow = The connection is slow: the vote did not arrive whole.
wait-server = The server is busy.
wait-limit = Very many people in your network send something at the same moment.
wait-closing-soon = The poll is about to close: a vote that is not accepted by then does not count.
wait-closing-over = The poll has closed meanwhile: this page asks whether your vote was stored in time.
try-in = Try { $attempt } in { $left }.
try-now = Try { $attempt } now…
not-voted-yet = You have not voted yet
not-voted-yet-words = The service can see again whether you have voted.
too-old = This page is too old to vote with.
too-old-words = Reload it, and vote again. If that does not help, close it and open the address anew.
not-stored-title = Your vote is not stored.
check-no-success = The check did not succeed. Reload this page, and vote again.
poll-gone = This poll is not there any more.
poll-gone-words = Ask whoever gave you the address.
not-taken = Your vote was not taken.
not-taken-words = Reload this page, and vote again.
