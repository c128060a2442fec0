# Seiten und Probleme des Dienstes für Veranstalter. Eine Einzelheit ist der Rest eines Satzes: Sie hat keinen Punkt am Ende.

host-error-title = Fehler: { $title }
host-person = Angemeldet als { $name }
host-sign-out = Abmelden
host-go-back = Zurück
host-sign-in = Anmelden
host-sign-in-link = Dieser Link meldet Sie einmal an.
host-token = Ihr Schlüssel
host-token-hint = 64 Ziffern und Buchstaben, wie votectl sie ausgab, als Sie hinzugefügt wurden
host-token-confirm = Ihr Schlüssel, zur Bestätigung
host-token-confirm-hint = Das lässt sich nicht zurücknehmen, und Sie haben sich vor mehr als fünf Minuten angemeldet
host-polls = Ihre Abstimmungen
host-all-polls = Alle Abstimmungen
host-no-polls = Es gibt noch keine Abstimmung.
host-voters-counted =
    { $voters ->
        [one] { $voters } Person gezählt
       *[other] { $voters } Personen gezählt
    }
host-opens = öffnet { $at }
host-closes = endet { $at }
host-create = Abstimmung anlegen
host-create-send = Abstimmung anlegen
host-field-slug = Name in Adressen
host-field-slug-hint = Kleine Buchstaben a bis z, Ziffern und Bindestriche, etwa katzen-oder-hunde
host-field-title = Frage
host-field-options = Möglichkeiten
host-field-options-hint = Eine in jeder Zeile, 2 bis 63; sobald jemand abgestimmt hat, ändert sich nur noch ihre Schreibweise
host-field-option = Möglichkeit „{ $slug }“
host-field-choices = Wie viele Möglichkeiten ein Stimmzettel wählen darf
host-field-second = Eine zweite Stimme
host-second-keep = Die erste Stimme zählt
host-second-replace = Wer abgestimmt hat, darf die Stimme ändern
host-field-voters = Wer abstimmen darf
host-voters-open = Alle, einmal in jedem Browser
host-voters-code = Wer einen Code hat
host-field-seen = Wer die Ergebnisse sieht
host-seen-always = Alle, von Anfang an
host-seen-close = Alle, sobald die Abstimmung beendet ist
host-seen-vote = Wer abgestimmt hat, und alle nach dem Ende der Abstimmung
host-seen-admin = Nur Veranstalter, bis jemand sie aufdeckt
host-field-opens = Beginn
host-field-opens-draft = Beginn (leer lassen für einen Entwurf)
host-field-closes = Ende (leer lassen, um die Abstimmung von Hand zu beenden)
host-field-closes-now = Ende (leer lassen, um die Abstimmung jetzt zu beenden)
host-field-later = Um wie viel später, oder bis wann
host-field-time-hint = now, +10m, +2h oder eine Zeit wie 2026-03-01 20:00 Europe/Berlin
host-field-hide = Bis wann
host-hide-close = Bis die Abstimmung beendet ist und alle Stimmen gezählt sind
host-hide-vote = Bis man abgestimmt hat oder die Abstimmung beendet ist
host-hide-revealed = Bis jemand sie aufdeckt
host-tasks = Aufgaben
host-task-open = Abstimmung öffnen
host-task-extend = Abstimmung verlängern
host-task-close = Abstimmung beenden
host-task-reveal = Ergebnisse aufdecken
host-task-hide = Ergebnisse verbergen
host-task-correct = Texte berichtigen
host-task-cancel = Beginn absagen
host-task-archive = Abstimmung archivieren
host-does-open = Vom Beginn an können alle abstimmen, die die Adresse kennen. Ein Beginn, der noch bevorsteht, lässt sich bis fünf Sekunden vorher ändern.
host-does-extend = Die Abstimmung endet später, als sie sonst würde. Offene Seiten zeigen die neue Zeit innerhalb von zwei Sekunden.
host-does-close = Eine Abstimmung endet für immer. Stimmzettel, die vorher eingingen, werden gezählt, auch wenn das einen Moment länger dauert.
host-does-reveal = Alle sehen die Ergebnisse von jetzt an, auch während die Abstimmung läuft.
host-does-hide = Seiten und Schnittstelle zeigen die Ergebnisse nicht mehr. Wer sie gesehen hat, hat sie gesehen.
host-does-correct = Die neuen Texte erscheinen innerhalb von zwei Sekunden auf offenen Seiten. Stimmen bleiben bei ihrer Möglichkeit, und die früheren Texte bleiben auf der Seite der Abstimmung stehen.
host-does-cancel = Die Abstimmung wird wieder ein Entwurf, ohne Beginn und ohne Ende.
host-does-archive = Die Abstimmung verschwindet für immer von allen Seiten. Stimmen und Ergebnisse bleiben. Was Redis über die Abstimmenden weiß, wird vergessen.
host-done-create = Die Abstimmung ist angelegt.
host-done-open = Der Beginn ist festgelegt.
host-done-extend = Das Ende ist jetzt später.
host-done-close = Das Ende ist festgelegt.
host-done-reveal = Alle sehen die Ergebnisse jetzt.
host-done-hide = Die Ergebnisse sind jetzt verborgen.
host-done-correct = Die neuen Texte sind gespeichert. Die früheren stehen weiter unten.
host-done-cancel = Der Beginn ist abgesagt. Die Abstimmung ist wieder ein Entwurf.
host-done-archive = Die Abstimmung ist archiviert.
host-seals = Diese Abstimmung wird beim Archivieren auch versiegelt. Das tut nur dieser Befehl:
host-results = Ergebnisse
host-not-opened = Die Abstimmung hat noch nicht begonnen.
host-not-final-open = Nicht endgültig: Die Abstimmung läuft.
host-not-final-counting = Nicht endgültig: Die letzten Stimmzettel werden gezählt.
host-final = Endgültig: Jeder angenommene Stimmzettel ist gezählt.
host-waiting =
    { $ballots ->
        [0] Kein angenommener Stimmzettel wartet auf die Zählung.
        [one] { $ballots } angenommener Stimmzettel ist noch nicht gezählt.
       *[other] { $ballots } angenommene Stimmzettel sind noch nicht gezählt.
    }
host-waiting-unknown = Wie viele angenommene Stimmzettel noch nicht gezählt sind, ist nicht bekannt.
host-as-of = Stand: { $at }.
host-reload = Neu laden
host-column-option = Möglichkeit
host-column-votes = Stimmen
host-column-share = Anteil
host-rules = Regeln
host-rule-opens = Beginn
host-rule-closes = Ende
host-no-time = keine Zeit festgelegt
host-by-hand = von Hand
host-rule-choices = Wahl auf einem Stimmzettel
host-choices = { $min } bis { $max }
host-rule-ballot = Stimmzettel
host-rule-results = Ergebnisseite
host-corrections = Berichtigungen
host-steps = Letzte Schritte
host-column-when = Wann
host-column-field = Feld
host-column-before = Vorher
host-column-after = Nachher
host-column-who = Wer
host-column-step = Schritt
problem-forged = Öffnen Sie die Seite noch einmal
problem-needs-tls = Kommen Sie über TLS wieder
problem-not-signed-in = Melden Sie sich zuerst an
problem-refused = Das ist nicht möglich
problem-too-many-attempts = Zu viele Versuche
problem-unconfirmed = Zeigen Sie Ihren Schlüssel noch einmal
host-detail-session-ended = Ihre Sitzung ist beendet, und nichts wurde geändert
host-detail-earlier-session = die Seite gehört zu einer früheren Sitzung: öffnen Sie sie noch einmal
host-detail-other-site = eine Seite einer anderen Website hat diese Anfrage gesendet
host-detail-needs-tls = Schlüssel gehen ohne TLS durch kein Netz: verwenden Sie eine Adresse, die mit https beginnt
host-detail-wrong-token = dieser Schlüssel ist nicht gültig oder wurde widerrufen
host-detail-used-link = dieser Link wurde schon verwendet oder ist älter als 15 Minuten; bitten Sie um einen neuen, oder verwenden Sie Ihren Schlüssel
host-detail-attempts = zu viele Versuche aus Ihrem Netz waren falsch: warten Sie ein wenig
host-detail-unconfirmed = das lässt sich nicht zurücknehmen: tippen Sie Ihren Schlüssel ein, um es zu bestätigen
host-detail-database = die Datenbank kann gerade nicht gefragt werden
host-detail-away = ein Server ist gerade nicht erreichbar; sehen Sie sich die Abstimmung an, bevor Sie es noch einmal versuchen
host-detail-failed = der Auftrag konnte nicht ausgeführt werden; das Protokoll des Dienstes sagt, warum
host-detail-not-yours = Sie dürfen keine Abstimmung „{ $slug }“ anlegen: sie gehört nicht zu denen, die für Sie genannt sind
host-detail-not-now = Einstellungen und Stand der Abstimmung erlauben das jetzt nicht
host-detail-taken = es gibt schon eine Abstimmung mit dem Namen „{ $slug }“
host-detail-no-option = die Abstimmung hat keine Möglichkeit „{ $slug }“
host-detail-slug = der Name in Adressen hat 1 bis 63 Zeichen: kleine Buchstaben a bis z, Ziffern, und dazwischen Bindestriche
host-detail-title = die Frage hat 1 bis { $max } Zeichen, nicht { $given }
host-detail-options = eine Abstimmung hat 2 bis { $max } Möglichkeiten, nicht { $given }
host-detail-choices = ein Stimmzettel darf 1 bis { $max } Möglichkeiten wählen, nicht „{ $given }“
host-detail-time = „{ $given }“ ist keine Zeit: schreiben Sie now, +10m, +2h, +1d oder eine Zeit wie 2026-03-01 20:00 Europe/Berlin
host-detail-time-zone = die Zeit „{ $given }“ braucht ihre Zone, etwa { $given } Europe/Berlin
host-detail-no-zone = es gibt keine Zeitzone „{ $given }“; ein Beispiel ist Europe/Berlin
host-detail-say-when = sagen Sie, um wie viel oder bis wann
host-detail-value = „{ $given }“ ist kein Wert von { $name }
host-detail-needs-opening = ein Ende braucht einen Beginn
host-detail-is-draft = die Abstimmung hat nicht begonnen: sie ist ein Entwurf
host-detail-is-over = das lässt sich nicht mehr ändern, denn die Abstimmung ist { $state ->
        [archived] archiviert
       *[other] beendet
    }
host-detail-not-opened = die Abstimmung hat nicht begonnen: geben Sie die Zeit an, zu der sie endet
host-detail-closes-soon = die Abstimmung endet in wenigen Sekunden von selbst
host-detail-opens-soon = die Abstimmung beginnt in wenigen Sekunden von selbst
host-detail-too-early = die Abstimmung kann frühestens in { $ms } ms enden: wählen Sie eine spätere Zeit oder keine
host-detail-closes-first = die Abstimmung würde enden, bevor sie beginnt: wählen Sie ein späteres Ende
host-detail-is-open = die Abstimmung läuft schon
host-detail-has-opened = die Abstimmung hat begonnen: beenden Sie sie
host-detail-no-end = die Abstimmung hat kein Ende: beenden Sie sie, und geben Sie die Zeit an
host-detail-ends-later = die Abstimmung endet schon { $at }: wählen Sie eine spätere Zeit
host-detail-past = eine Abstimmung kann nicht in der Vergangenheit beginnen: wählen Sie eine spätere Zeit
host-detail-close-first = die Abstimmung läuft oder beginnt noch: beenden Sie sie zuerst
host-detail-seals = diese Abstimmung wird beim Archivieren versiegelt, und das kann nur `votectl poll archive`
host-codes = Codes
host-codes-new = Neue Codes
host-codes-new-does = Die nächste Seite zeigt die neuen Codes, einmal. Nur ihre Hashwerte werden gespeichert, daher kann niemand sie noch einmal zeigen: Drucken Sie die Seite.
host-codes-count = Wie viele
host-codes-count-hint = 1 bis 1.000 auf einmal
host-codes-issue = Codes erzeugen
host-codes-own = Codes, die schon verteilt sind
host-codes-own-does = Sie werden auch Codes dieser Abstimmung. Codes, die sie schon hat, bleiben, wie sie sind.
host-codes-field = Codes
host-codes-field-hint = Einer in jeder Zeile: 16 Ziffern und Buchstaben ohne I, L, O und U; Bindestriche und Leerzeichen zählen nicht
host-codes-import = Diese Codes hinzufügen
host-codes-added =
    { $added ->
        [one] { $added } Code hinzugefügt.
       *[other] { $added } Codes hinzugefügt.
    } { $there ->
        [0] Keiner war schon da.
       *[other] Schon da: { $there }.
    }
host-codes-guessable = Einige dieser Codes lassen sich aus anderen erraten oder sind ausgedacht. Wer einen errät, kann damit abstimmen.
host-cards = Neue Codes
host-cards-note = Drucken Sie diese Seite jetzt, und schneiden Sie an den gestrichelten Linien. Wenn Sie sie verlassen, kann niemand diese Codes noch einmal zeigen. Wer einen hat, kann damit abstimmen.
host-cards-picture = QR-Code des persönlichen Links
host-cards-how = Scannen Sie das Bild, oder öffnen Sie den Stimmzettel und tippen Sie diesen Code ein. Er zählt einmal. Behalten Sie ihn für sich.
host-download = Herunterladen:
host-detail-count = erzeugen Sie 1 bis { $max } Codes auf einmal, nicht „{ $given }“
host-detail-no-code = Zeile { $line } ist kein Code, und nichts wurde hinzugefügt: ein Code hat 16 Zeichen, Ziffern und Buchstaben ohne I, L, O und U
host-detail-codes-empty = es gibt keinen Code, der hinzugefügt werden könnte
host-detail-no-codes = bei dieser Abstimmung dürfen alle abstimmen: nur eine Abstimmung mit Codes nimmt welche an
