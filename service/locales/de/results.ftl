# The results page, the presenter view and the picture of the results, as the server renders them.

results-title = { $title } – Ergebnisse
screen-title = { $title } – auf der Leinwand
open-results = Diese Ergebnisse öffnen
preview-hidden = { $state }. Die Ergebnisse sind vorerst verborgen.
preview-counted =
    { $people ->
        [one] { $state }. { $people } Person gezählt.
       *[other] { $state }. { $people } Personen gezählt.
    }
picture-counted =
    { $people ->
        [one] { $people } Person gezählt, { $at }
       *[other] { $people } Personen gezählt, { $at }
    }
printed-as-of = Zahlen von
no-script = Diese Zahlen bewegen sich nicht von selbst: Dafür brauchen sie JavaScript.
no-script-reload = Seite neu laden
no-script-newer = für neuere.
hidden-title = Die Ergebnisse sind vorerst verborgen
standings = Stand
turnout-and-pace = Beteiligung und Tempo
people-counted-label = Gezählte Personen
votes-per-second = Stimmen pro Sekunde
chart-caption = Stimmen pro Sekunde, letzte 5 Minuten
chart-ago = vor 5 min
chart-now = jetzt
vote-at = Abstimmen auf
vote-link = Abstimmen
table-summary = Ergebnisse als Tabelle
table-caption = Stimmen für jede Möglichkeit; Anteile an den gezählten Personen
table-option = Möglichkeit
table-votes = Stimmen
table-share = Anteil
as-of = Stand:
light-as-of = Stand: { $at }
all-polls = Alle Abstimmungen
poll-state =
    { $state ->
        [draft] Entwurf
        [scheduled] geplant
        [open] läuft
        [closed] beendet
        [archived] archiviert
       *[other] unbekannt
    }
curtain-words = Sie werden gleich gezeigt.
and-more = und { $count } weitere
how-to-vote = So stimmen Sie ab
qr-label = QR-Code der Adresse darunter
scan-or-go = Scannen, oder gehen Sie zu
screen-keys = Bildschirm
key-full = Vollbild
key-hide = verbergen
key-reveal = zeigen
key-previous = Vorherige Abstimmung
key-next = Nächste Abstimmung
