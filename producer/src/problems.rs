//! The types of problems that a ballot may meet, each with the explanation that `/problems/{name}` shows.

use votestream_service::problem::{
    MALFORMED, METHOD_NOT_ALLOWED, NOT_FOUND, ProblemType, TOO_LARGE, UNAVAILABLE, UNKNOWN_POLL,
};
use warp::http::StatusCode;

/// Every type that the producer answers with.
pub(crate) static TYPES: &[&ProblemType] = &[
    &ALREADY_VOTED,
    &BAD_CODE,
    &CHALLENGE_REQUIRED,
    &CODE_USED,
    &CROSS_SITE,
    &KEY_REUSED,
    &INVALID_CHOICE,
    &MALFORMED,
    &METHOD_NOT_ALLOWED,
    &NO_RECEIPT,
    &NOT_FOUND,
    &NOT_OPEN,
    &TOO_LARGE,
    &TOO_MANY_NEW_VOTERS,
    &TOO_MANY_WRONG_CODES,
    &TOO_SLOW,
    &UNAVAILABLE,
    &UNKNOWN_POLL,
    &UNSUPPORTED_MEDIA,
];

/// 409 for a second ballot in a poll that keeps the first.
pub(crate) static ALREADY_VOTED: ProblemType = ProblemType {
    name: "already-voted",
    status: StatusCode::CONFLICT,
    explanation: "This poll keeps each voter's first ballot, and one of this voter is counted already. \
                  The member `choices` names the options of the vote that stands.",
};

/// 403 for a ballot without a valid voting code, in a poll that needs one.
pub(crate) static BAD_CODE: ProblemType = ProblemType {
    name: "bad-code",
    status: StatusCode::FORBIDDEN,
    explanation: "This poll accepts only ballots with a voting code of the form XXXX-XXXX-XXXX-XXXX. The \
                  code is missing, misspelt, or was issued for another poll.",
};

/// 403 for the ballot of a new voter who has to solve a challenge first.
pub(crate) static CHALLENGE_REQUIRED: ProblemType = ProblemType {
    name: "challenge-required",
    status: StatusCode::FORBIDDEN,
    explanation: "The ballot is not stored yet. A new voter has to solve a challenge first, so that it is costly for \
                  a program to vote many times. The ballot page does it by itself. A program finds the challenge in \
                  the member `challenge`, solves it, and sends the same ballot again with the member `solution`, as \
                  the same voter: with the cookie of this reply, with its token, or with its Idempotency-Key.\n\n\
                  A challenge of the kind `work` is solved by one number for each of its parts, such that the first \
                  four bytes of SHA-256(seed, part, number), read as one number, are less than `below`. Parts count \
                  from 0; part and number are four bytes each, the highest first. The solution is `text`, a full \
                  stop, and the numbers in hexadecimal with a hyphen between them. A challenge of the kind \
                  `siteverify` is solved by the token that the script of another service gives to a page.",
};

/// 409 for a voting code whose ballot is stored already, in a browser that did not cast it.
pub(crate) static CODE_USED: ProblemType = ProblemType {
    name: "code-used",
    status: StatusCode::CONFLICT,
    explanation: "A ballot with this voting code is stored, and in this poll the first ballot of a code counts. Only \
                  the browser that cast it shows its choices.",
};

/// 403 for a ballot that a page of another site has sent.
pub(crate) static CROSS_SITE: ProblemType = ProblemType {
    name: "cross-site",
    status: StatusCode::FORBIDDEN,
    explanation: "A page of another site has sent this ballot, judging by the headers Sec-Fetch-Site and \
                  Origin. Vote on the poll's own page. Whoever runs the service can allow further sites \
                  with ALLOWED_ORIGINS. A page of an allowed site reads the poll from \
                  `/api/polls/{slug}` first, and sends the member `token` with the ballot.",
};

/// 422 for choices that the poll does not allow.
pub(crate) static INVALID_CHOICE: ProblemType = ProblemType {
    name: "invalid-choice",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    explanation: "The ballot names an option that the poll does not have, names one twice, or names fewer \
                  or more options than the poll allows. The detail says which.",
};

/// 422 for an `Idempotency-Key` that came with other choices before.
pub(crate) static KEY_REUSED: ProblemType = ProblemType {
    name: "idempotency-key-reused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    explanation: "A ballot with the same Idempotency-Key and other choices is stored already, and it stands. \
                  A key belongs to one ballot: send the same choices to learn its outcome, or a new key \
                  with other choices.",
};

/// 404 where there is no receipt.
pub(crate) static NO_RECEIPT: ProblemType = ProblemType {
    name: "no-receipt",
    status: StatusCode::NOT_FOUND,
    explanation: "A receipt is a signed promise that a ballot is in the public log of its poll. There is none if the poll \
                  or the service gives no receipts, or if no vote of this browser stands.",
};

/// 403 for a ballot before the poll opens or after it closes.
pub(crate) static NOT_OPEN: ProblemType = ProblemType {
    name: "not-open",
    status: StatusCode::FORBIDDEN,
    explanation: "The poll has not opened yet, or it has closed. The members `opens_at` and `closes_at` say \
                  when it opens and closes, where that is decided.",
};

/// 429 for a network that brings more new voters than one network may.
pub(crate) static TOO_MANY_NEW_VOTERS: ProblemType = ProblemType {
    name: "too-many-new-voters",
    status: StatusCode::TOO_MANY_REQUESTS,
    explanation: "More new voters of this poll come from one network than it may bring at once. The ballot is not \
                  stored. Send it again after the number of seconds in the Retry-After header. Whoever has voted in \
                  the poll is not limited.",
};

/// 429 for a network that sends more wrong voting codes than are answered one after the other.
pub(crate) static TOO_MANY_WRONG_CODES: ProblemType = ProblemType {
    name: "too-many-wrong-codes",
    status: StatusCode::TOO_MANY_REQUESTS,
    explanation: "Very many wrong voting codes come from one network, so each is answered after a delay, and only so \
                  many are waiting at a time. A right code is answered at once. Check the code and vote again.",
};

/// 408 for a body that did not arrive in time.
pub(crate) static TOO_SLOW: ProblemType = ProblemType {
    name: "too-slow",
    status: StatusCode::REQUEST_TIMEOUT,
    explanation: "The request's body did not arrive in time. Send the request again.",
};

/// 415 for a body of a media type that the address does not take.
pub(crate) static UNSUPPORTED_MEDIA: ProblemType = ProblemType {
    name: "unsupported-media",
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    explanation: "The Content-Type header names a media type that this address does not accept. The detail \
                  names the one that it accepts.",
};

#[cfg(test)]
mod tests {
    use votestream_service::language::Words;

    use super::*;

    #[test]
    fn the_openapi_document_lists_the_same_types() {
        let declared = TYPES.iter().map(|kind| {
            (kind.address(), kind.status.as_u16(), kind.title(Words::default()).into_owned())
        });
        let listed = testkit::http::problem_types(include_str!("../openapi.json"));
        assert_eq!(listed, declared.collect());
    }
}
