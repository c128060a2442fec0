# Titles and details of problems. A detail is the rest of a sentence: it begins in lower case and has no full stop.

problem-already-voted = You have already voted
problem-bad-code = Code not recognised
problem-challenge-required = One more step is needed
problem-code-used = This code has been used
problem-cross-site = Not from this site
problem-idempotency-key-reused = Idempotency key used before
problem-invalid-choice = Not a valid choice
problem-malformed = Malformed request
problem-method-not-allowed = Method not allowed
problem-not-found = Not found
problem-no-receipt = No receipt
problem-not-open = Voting is not open
problem-results-hidden = Results are hidden
problem-too-large = Too large
problem-too-many-new-voters = Too many new voters
problem-too-many-wrong-codes = Too many wrong codes
problem-too-slow = Too slow
problem-unavailable = Try again in a moment
problem-unknown-poll = Unknown poll
problem-unsupported-media = Unsupported media type
detail-nothing-here = nothing lives at this address
detail-no-poll = there is no poll `{ $slug }`
detail-too-large = a request body may hold { $bytes } bytes at most
detail-method = this address does not take this method
detail-form = the request does not have the form that this address expects
detail-polls-unknown = the polls are not known yet
detail-poll-unknown = the poll is not known yet
detail-too-many-followers = very many pages follow this poll; this page asks from time to time instead
detail-mark-or-abstain = mark a choice first, or press the button for none of them
detail-code-of-screen = no poll has the code `{ $code }`; look at the screen again and type its letters in any case, there are no digits and no vowels in it
detail-not-safe = ballots cannot be stored safely at the moment
detail-no-storing = ballots cannot be stored at the moment
detail-full = too many ballots wait to be counted
detail-no-receipts = this poll gives no receipts
detail-receipt-unknown = nobody knows at the moment whether a vote of this browser stands; try again soon
detail-no-vote-here = no vote of this browser stands in this poll
detail-token = the voting token cannot be used: { $reason ->
        [expired] it has expired
        [forged] it was not signed by this service for this use
       *[other] it is malformed
    }; reload the page and vote again
detail-cookie = the voter cookie cannot be used: { $reason ->
        [expired] it has expired
        [forged] it was not signed by this service for this use
       *[other] it is malformed
    }; it has been removed, reload the page and vote again
detail-not-stored = your vote could not be stored; try again: it is never counted twice
detail-being-set-up = this poll is being set up; try again in a moment
detail-key-reused = this Idempotency-Key came with other choices before; use a new key for a new ballot
detail-cross-site = this ballot came from a page of another site; open the ballot on its own site and vote there
detail-needs-token = a page of another site must send the voting token that GET /api/polls/{ "{" }slug{ "}" } returns
detail-too-many-voters = your vote is not stored yet: very many new voters come from your network, and it may bring the next one in about { $seconds } s
detail-too-many-voters-closing = your vote is not stored yet: very many new voters come from your network, and it may bring the next one in about { $seconds } s; the poll closes before that, in { $left } s
detail-stands = your vote for { $labels } stands
detail-stands-none = your ballot, which chooses none of the options, stands
detail-not-opened = this poll has not opened yet; vote once it is open
detail-has-closed = this poll has closed, so this ballot does not count
detail-takes-none = this poll takes no ballots now
detail-media-type = send the ballot as { $type }
detail-challenge = your vote is not stored yet: new voters have to solve a challenge first; solve the challenge in this reply, and send the same ballot again, as the same voter, with the solution
detail-challenge-wrong = your vote is not stored yet: the solution of the challenge was not accepted: { $reason }; solve the challenge in this reply, and send the same ballot again, as the same voter, with the solution
detail-unchecked = your vote is not stored yet: it cannot be checked at the moment that you are a person; try again in { $seconds } s
detail-bad-code = this code is not recognised; compare it with your invitation, letter by letter: XXXX-XXXX-XXXX-XXXX
detail-no-code = enter your voting code, of the form XXXX-XXXX-XXXX-XXXX; it came with your invitation
detail-code-again = type your voting code again to change your vote
detail-code-used = this code has been used, and its ballot is stored; only the browser that cast it shows the choices
detail-wrong-codes = very many wrong voting codes come from your network; check the code, and try again in a minute
detail-ended-early = the body ended too early
detail-too-slow = the body did not arrive within { $ms } ms; send it again
detail-choose-exactly = choose exactly { $min }, not { $given }
detail-choose-range = choose { $min } to { $max }, not { $given }
detail-no-option = `{ $name }` is not an option; choose from { $options }
detail-no-history = the history cannot be read at the moment
detail-no-account = the account cannot be read at the moment
detail-no-account-yet = the account of this poll has not been taken yet
detail-no-picture = the picture cannot be drawn at the moment
detail-no-second = this address names no second; write one such as 2026-05-16T21:05:30Z
detail-second-to-come = this second is not over yet
detail-log-too-long = this log is too long to be added up for a page; people who run this poll can ask `votectl poll at { $poll }`, and everybody can add it up with `votectl verify`
detail-no-log = this poll has no public log, and its voters get no receipts
detail-log-away = the public log cannot be read at the moment
detail-log-wrong = the public log cannot be added up: an entry cannot be read, or contradicts the entries before it; tell the people who run this poll
detail-log-deleted = the entries of this log were deleted when the poll was sealed or its votes were erased; its hashes and checkpoints remain
detail-too-many-viewers = very many people watch; this page tries again by itself
detail-results-hidden = the results of this poll are not shown now
