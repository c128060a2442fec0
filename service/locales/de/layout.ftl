# The frame of all pages, and pages of problems.

skip = Zum Inhalt springen
problem-page-status = Fehler { $status }
preview-picture = Die Ergebnisse der Abstimmung: { $title }
back-to-ballot = Zurück zum Stimmzettel
draft-title = Diese Abstimmung ist noch nicht geöffnet
