# The page that checks a receipt, as the server renders it.

receipt-title = { $title } – check a receipt
receipt-link = Check your receipt
receipt-intro = A receipt is a signed promise that a ballot is in the public log of this poll. This page checks it in your browser, against the published log. The receipt is not sent to anybody; only the number of its ballot and its nonce are, to find its entry.
receipt-no-script = This page needs JavaScript, because your browser does the checking.
receipt-none = This poll gives no receipts, and has no public log.
receipt-paste = Paste the receipt
receipt-file = Or choose the file
receipt-button = Check
