# The frame of all pages, and pages of problems.

skip = Skip to the content
problem-page-status = Error { $status }
preview-picture = The results of the poll: { $title }
back-to-ballot = Back to the ballot
draft-title = This poll is not open yet
