# Titles and details of problems. A detail is the rest of a sentence: it begins in lower case and has no full stop.

problem-already-voted = Sie haben schon abgestimmt
problem-bad-code = Code nicht erkannt
problem-challenge-required = Ein Schritt fehlt noch
problem-code-used = Dieser Code ist verbraucht
problem-cross-site = Nicht von dieser Website
problem-idempotency-key-reused = Idempotency-Key schon verwendet
problem-invalid-choice = Keine gültige Auswahl
problem-malformed = Fehlerhafte Anfrage
problem-method-not-allowed = Methode nicht erlaubt
problem-not-found = Nicht gefunden
problem-no-receipt = Keine Quittung
problem-not-open = Die Abstimmung ist nicht geöffnet
problem-results-hidden = Die Ergebnisse sind verborgen
problem-too-large = Zu groß
problem-too-many-new-voters = Zu viele neue Abstimmende
problem-too-many-wrong-codes = Zu viele falsche Codes
problem-too-slow = Zu langsam
problem-unavailable = Versuchen Sie es gleich noch einmal
problem-unknown-poll = Unbekannte Abstimmung
problem-unsupported-media = Medientyp nicht unterstützt
detail-nothing-here = unter dieser Adresse gibt es nichts
detail-no-poll = es gibt keine Abstimmung „{ $slug }“
detail-too-large = eine Anfrage darf höchstens { $bytes } Bytes enthalten
detail-method = diese Adresse nimmt diese Methode nicht an
detail-form = die Anfrage hat nicht die Form, die diese Adresse erwartet
detail-polls-unknown = die Abstimmungen sind noch nicht bekannt
detail-poll-unknown = die Abstimmung ist noch nicht bekannt
detail-too-many-followers = sehr viele Seiten folgen dieser Abstimmung; diese Seite fragt stattdessen ab und zu nach
detail-mark-or-abstain = markieren Sie zuerst etwas, oder drücken Sie den Knopf für keine Möglichkeit
detail-code-of-screen = keine Abstimmung hat den Code „{ $code }“; sehen Sie noch einmal auf die Leinwand und tippen Sie die Buchstaben, groß oder klein; er hat keine Ziffern und keine Vokale
detail-not-safe = Stimmzettel können gerade nicht sicher gespeichert werden
detail-no-storing = Stimmzettel können gerade nicht gespeichert werden
detail-full = zu viele Stimmzettel warten darauf, gezählt zu werden
detail-no-receipts = diese Abstimmung gibt keine Quittungen
detail-receipt-unknown = im Moment ist nicht bekannt, ob eine Stimme dieses Browsers steht; versuchen Sie es bald noch einmal
detail-no-vote-here = in dieser Abstimmung steht keine Stimme dieses Browsers
detail-token = das Kennzeichen dieser Seite kann nicht verwendet werden: { $reason ->
        [expired] es ist abgelaufen
        [forged] dieser Dienst hat es nicht dafür unterschrieben
       *[other] es ist fehlerhaft
    }; laden Sie die Seite neu und stimmen Sie noch einmal ab
detail-cookie = das Cookie kann nicht verwendet werden: { $reason ->
        [expired] es ist abgelaufen
        [forged] dieser Dienst hat es nicht dafür unterschrieben
       *[other] es ist fehlerhaft
    }; es wurde entfernt, laden Sie die Seite neu und stimmen Sie noch einmal ab
detail-not-stored = Ihre Stimme konnte nicht gespeichert werden; versuchen Sie es noch einmal: sie wird nie doppelt gezählt
detail-being-set-up = diese Abstimmung wird gerade eingerichtet; versuchen Sie es gleich noch einmal
detail-key-reused = dieser Idempotency-Key kam schon mit anderer Auswahl; nehmen Sie einen neuen für einen neuen Stimmzettel
detail-cross-site = dieser Stimmzettel kam von einer Seite einer anderen Website; öffnen Sie ihn auf seiner eigenen Website und stimmen Sie dort ab
detail-needs-token = eine Seite einer anderen Website muss das Kennzeichen senden, das GET /api/polls/{ "{" }slug{ "}" } liefert
detail-too-many-voters = Ihre Stimme ist noch nicht gespeichert: Aus Ihrem Netz stimmen sehr viele zum ersten Mal ab; die nächste Stimme kann es in etwa { $seconds } s bringen
detail-too-many-voters-closing = Ihre Stimme ist noch nicht gespeichert: Aus Ihrem Netz stimmen sehr viele zum ersten Mal ab; die nächste Stimme kann es in etwa { $seconds } s bringen; die Abstimmung endet vorher, in { $left } s
detail-stands = Ihre Stimme für { $labels } gilt
detail-stands-none = Ihr Stimmzettel, der keine der Möglichkeiten wählt, gilt
detail-not-opened = diese Abstimmung ist noch nicht geöffnet; stimmen Sie ab, sobald sie läuft
detail-has-closed = diese Abstimmung ist beendet, deshalb zählt dieser Stimmzettel nicht
detail-takes-none = diese Abstimmung nimmt gerade keine Stimmzettel an
detail-media-type = senden Sie den Stimmzettel als { $type }
detail-challenge = Ihre Stimme ist noch nicht gespeichert: Wer neu abstimmt, muss zuerst eine Aufgabe lösen; lösen Sie die Aufgabe in dieser Antwort und senden Sie denselben Stimmzettel mit der Lösung noch einmal, als dieselbe Person
detail-challenge-wrong = Ihre Stimme ist noch nicht gespeichert: Die Lösung der Aufgabe wurde nicht angenommen ({ $reason }); lösen Sie die Aufgabe in dieser Antwort und senden Sie denselben Stimmzettel mit der Lösung noch einmal, als dieselbe Person
detail-unchecked = Ihre Stimme ist noch nicht gespeichert: Im Moment kann nicht geprüft werden, ob Sie ein Mensch sind; versuchen Sie es in { $seconds } s noch einmal
detail-bad-code = dieser Code wird nicht erkannt; vergleichen Sie ihn Zeichen für Zeichen mit Ihrer Einladung: XXXX-XXXX-XXXX-XXXX
detail-no-code = geben Sie Ihren Abstimmungscode der Form XXXX-XXXX-XXXX-XXXX ein; er kam mit Ihrer Einladung
detail-code-again = tippen Sie Ihren Abstimmungscode noch einmal, um Ihre Stimme zu ändern
detail-code-used = dieser Code ist verbraucht, und sein Stimmzettel ist gespeichert; nur der Browser, der ihn abgegeben hat, zeigt die Auswahl
detail-wrong-codes = aus Ihrem Netz kommen sehr viele falsche Abstimmungscodes; prüfen Sie den Code und versuchen Sie es in einer Minute noch einmal
detail-ended-early = die Anfrage endete zu früh
detail-too-slow = die Anfrage kam nicht innerhalb von { $ms } ms an; senden Sie sie noch einmal
detail-choose-exactly = wählen Sie genau { $min }, nicht { $given }
detail-choose-range = wählen Sie { $min } bis { $max }, nicht { $given }
detail-no-option = „{ $name }“ steht nicht zur Wahl; wählen Sie aus { $options }
detail-no-history = der Verlauf kann gerade nicht gelesen werden
detail-no-account = die Rechnung kann gerade nicht gelesen werden
detail-no-account-yet = die Rechnung dieser Abstimmung wurde noch nicht aufgestellt
detail-no-picture = das Bild kann gerade nicht gezeichnet werden
detail-no-second = diese Adresse nennt keine Sekunde; schreiben Sie eine wie 2026-05-16T21:05:30Z
detail-second-to-come = diese Sekunde ist noch nicht vorbei
detail-log-too-long = dieses Protokoll ist zu lang, um für eine Seite zusammengezählt zu werden; wer diese Abstimmung durchführt, kann `votectl poll at { $poll }` fragen, und jeder kann es mit `votectl verify` zusammenzählen
detail-no-log = diese Abstimmung hat kein öffentliches Protokoll, und niemand bekommt hier Quittungen
detail-log-away = das öffentliche Protokoll kann gerade nicht gelesen werden
detail-log-wrong = das öffentliche Protokoll lässt sich nicht zusammenzählen: Ein Eintrag ist nicht lesbar oder widerspricht den Einträgen vor ihm; sagen Sie es denen, die diese Abstimmung durchführen
detail-log-deleted = die Einträge dieses Protokolls wurden gelöscht, als die Abstimmung versiegelt oder ihre Stimmen gelöscht wurden; Prüfsummen und Kontrollpunkte bleiben
detail-too-many-viewers = sehr viele sehen zu; diese Seite versucht es von selbst noch einmal
detail-results-hidden = die Ergebnisse dieser Abstimmung werden jetzt nicht gezeigt
