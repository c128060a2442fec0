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
account-link = Was aus jedem Stimmzettel wurde
account-title = { $title } – Rechnung über alle Stimmzettel
account-intro = Was aus jedem angenommenen Stimmzettel wurde. Ein Stimmzettel ist angenommen, sobald seine Absenderin oder sein Absender das gelesen hat. Die Zahlen gelten für einen Augenblick und kommen von beiden Servern.
account-balanced = Die Rechnung geht auf: Jeder angenommene Stimmzettel steht in einer dieser Zeilen.
account-missing = Fehlende Stimmzettel seit { $since }: { $ballots }. Sie wurden angenommen und stehen in keiner dieser Zeilen. Wer diese Abstimmung durchführt, muss nach ihnen suchen.
account-surplus = Überzählige Stimmzettel seit { $since }: { $ballots }. Sie stehen in diesen Zeilen und wurden nicht angenommen. Wer diese Abstimmung durchführt, muss herausfinden, woher sie kommen.
account-unknown = Es ist nicht bekannt, wie viele Stimmzettel angenommen wurden: Der Server, der sie zählt, ist auf einen früheren Stand zurückgefallen.
account-none = Die Rechnung dieser Abstimmung wurde noch nicht aufgestellt.
account-until = Stimmzettel, eingegangen bis
account-old = Diese Rechnung ist alt: Eine neuere konnte nicht aufgestellt werden.
account-ballots = Stimmzettel
account-number = Anzahl
account-meaning = Was das bedeutet
account-counted = Gezählt
account-counted-words = Sie sind im Ergebnis.
account-replaced = Ersetzt
account-replaced-words = Ein anderer Stimmzettel derselben Person zählt.
account-out-of-time = Außerhalb der Zeit
account-out-of-time-words = Die Abstimmung war nicht offen, als sie eingingen.
account-no-code = Kein solcher Code
account-no-code-words = Die Person hat keinen Code für diese Abstimmung.
account-dead = Beiseitegelegt
account-dead-words = Sie sind nicht lesbar oder nicht zählbar und werden für die Leitung der Abstimmung aufbewahrt.
account-dropped = Verworfen
account-dropped-words = Sie waren beiseitegelegt, und die Leitung der Abstimmung hat sie entfernt.
account-waiting = Wartend
account-waiting-words = Sie sind gespeichert und werden als Nächstes gezählt.
account-unexplained = Nicht erklärt
account-accepted = Angenommen
account-number-unknown = nicht bekannt
account-results = Die Ergebnisse

# Die Seite mit dem Ergebnis zu einer vergangenen Sekunde.
past-link = Das Ergebnis zu einer vergangenen Sekunde
past-title = { $title } – Stand { $at }
past-intro = Das Ergebnis, wie es zu dieser Sekunde stand, zusammengezählt aus dem öffentlichen Protokoll: alle Stimmzettel, die bis dahin eingegangen waren, jeder zu der Zeit, zu der er angenommen wurde.
past-at = Das Ergebnis um
past-steps = Andere Sekunden
past-seconds = { $number } s
past-minutes = { $number } min
past-agrees = Die Zeitreihe stimmt damit überein: Von den Stimmzetteln, die bis dahin eingegangen waren, gelten heute { $log }.
past-differs = Protokoll und Zeitreihe weichen voneinander ab. Von den Stimmzetteln, die bis dahin eingegangen waren, gelten heute { $log } nach dem Protokoll und { $series } nach der Zeitreihe. Solange noch gezählt wird, vergeht das; bleibt es so, fragen Sie die Leute, die diese Abstimmung durchführen.
