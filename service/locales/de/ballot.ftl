# The ballot page, as the server renders it.

opens-word = Beginn:
opens-label = Zeit bis zum Beginn der Abstimmung
opens-undecided = Wann sie beginnt, steht noch nicht fest.
not-started = Die Abstimmung hat noch nicht begonnen
shows-itself = Diese Seite zeigt den Stimmzettel von selbst, sobald die Abstimmung beginnt.
reload-without-script = Ohne JavaScript laden Sie die Seite dann neu.
closed-word = Beendet:
vote-not-kept = Welche Stimme aus welchem Browser kam, wird für diese Abstimmung nicht mehr gespeichert.
vote-unknown = Ihre Stimme ist gerade nicht bekannt
vote-unknown-words = Der Dienst kann im Moment nicht sehen, ob Sie abgestimmt haben. Eine angenommene Stimme ist sicher.
vote-asking = Diese Seite fragt von selbst noch einmal nach.
reload-soon = Laden Sie diese Seite gleich noch einmal.
chose-none = Sie haben keine der Möglichkeiten gewählt
voted-for = Sie haben gestimmt für
note-code-again = Ihre Stimme zählt einmal. Um sie zu ändern, geben Sie unten Ihren Code noch einmal ein.
no-cookie-note = Dieser Browser behält keine Cookies. Deshalb kann diese Seite Ihre Stimme nicht mehr zeigen, wenn Sie sie verlassen. Die Stimme bleibt: Sie brauchen nicht noch einmal abzustimmen.
forget = Eine andere Person stimmt auf diesem Gerät ab
forget-note = Diese Seite zeigt Ihre Stimme dann nicht mehr. Die Stimme selbst bleibt.
code-label = Ihr Abstimmungscode
code-hint = Er kam mit Ihrer Einladung und zählt einmal.
remember = Auf diesem Gerät merken, damit ich meine Stimme ohne den Code ändern kann. Nicht für ein Gerät, das auch andere benutzen.
policy-code-replace = Sie können Ihre Stimme mit demselben Code ändern, bis die Abstimmung endet.
policy-replace = Sie können Ihre Stimme ändern, bis die Abstimmung endet.
policy-keep = Ihre erste Stimme gilt: Sie können sie nicht ändern.
choose-one-or-none = Wählen Sie eine Möglichkeit oder keine
choose-one = Wählen Sie eine Möglichkeit
choose-exactly = Wählen Sie genau { $max }
choose-up-to-or-none = Wählen Sie bis zu { $max } oder keine
choose-up-to = Wählen Sie bis zu { $max }
choose-range = Wählen Sie { $min } bis { $max }
preview-words =
    { $state }. { $choose } ({ $options ->
        [one] { $options } Möglichkeit
       *[other] { $options } Möglichkeiten
    }).
preview-state = { $state }.
needs-script = Diese Abstimmung braucht JavaScript: Bevor sie eine Stimme annimmt, muss sie prüfen, dass kein Programm viele Male abstimmt. Schalten Sie JavaScript für diese Seite ein, oder nehmen Sie einen anderen Browser.
abstain = Keine davon
stop = Nicht weiter versuchen
secrecy-secret = Wer diese Abstimmung durchführt, kann herausfinden, wer was gewählt hat, bis die Abstimmung archiviert wird. Dann wird sie versiegelt, und niemand kann es mehr.
secrecy-open = Wer diese Abstimmung durchführt, kann herausfinden, wer was gewählt hat.
no-cookies = Dieser Browser behält keine Cookies. Ihre Stimme zählt trotzdem, einmal; aber diese Seite kann sie nicht zeigen, wenn Sie wiederkommen.
will-choose = Zur Wahl stehen
receipt-check = Prüfen, ob Ihre Stimme im öffentlichen Protokoll steht
receipt-save = Quittung speichern
receipt-qr = Die Quittung als QR-Code zeigen
receipt-qr-words = Scannen Sie ihn mit einem anderen Gerät, um die Quittung dort zu prüfen oder aufzubewahren. Wer die Quittung hat, sieht Ihre Wahl. Die Nummer darunter ist der Name Ihres Stimmzettels im öffentlichen Protokoll.
receipt-qr-alt = QR-Code Ihrer Quittung und der Name Ihres Stimmzettels im öffentlichen Protokoll
see-results = Ergebnisse ansehen
ballot-foot = Alle zählen einmal. Ein Cookie merkt sich die Stimme, falls dieser Browser es behält.
without-script-always = Ihre Stimme ist nicht gespeichert. Bevor diese Abstimmung eine Stimme annimmt, muss sie prüfen, dass kein Programm viele Male abstimmt, und das braucht JavaScript. Schalten Sie JavaScript für diese Seite ein, oder nehmen Sie einen anderen Browser, und stimmen Sie noch einmal ab.
without-script-busy = Ihre Stimme ist nicht gespeichert. Gerade stimmen sehr viele zum ersten Mal ab. Deshalb muss der Dienst prüfen, dass kein Programm viele Male abstimmt, und das braucht JavaScript. Schalten Sie JavaScript für diese Seite ein, oder nehmen Sie einen anderen Browser, und stimmen Sie noch einmal ab. Ohne JavaScript versuchen Sie es in ein paar Minuten wieder.
