# Sentences that the scripts of the ballot page write; the server writes some of them first. They may hold variables and
# selections by number, and no other part of Fluent.

state-open = Die Abstimmung läuft
state-closed = Die Abstimmung ist beendet
state-not-open = Noch nicht geöffnet
closes-until = bis
closes-since = seit
time-left = noch { $left }
closing-now = endet jetzt
opens-in = in { $left }
opening-now = beginnt jetzt
span-seconds = { $s } s
span-minutes = { $m } min { $s } s
span-hours = { $h } h { $m } min
span-days =
    { $days ->
        [one] { $days } Tag
       *[other] { $days } Tage
    } { $h } h
thanks = Danke fürs Abstimmen.
no-vote-here = In diesem Browser ist keine Stimme von Ihnen vermerkt.
note-change = Ihre Stimme zählt einmal. Sie können sie ändern, bis die Abstimmung endet.
note-stands = Ihre Stimme zählt einmal; sie steht fest.
hint-remembered = Lassen Sie das Feld leer, um die Stimme oben zu ändern. Eine andere Person gibt ihren eigenen Code ein.
policy-another = Eine andere Person kann hier mit ihrem eigenen Code abstimmen. Jeder Code hat eine Stimme.
chosen-count = { $marked } von { $max } markiert
send-vote = Abstimmen
send-vote-for = Für { $choice } stimmen
send-vote-for-many = Für { $count } Möglichkeiten stimmen
send-change = Meine Stimme ändern
send-change-to = Meine Stimme ändern: { $choice }
send-change-to-many = Meine Stimme ändern: { $count } Möglichkeiten
fault-stands = Diese Stimme gilt bereits.
fault-stands-words = Markieren Sie etwas anderes, um sie zu ändern.
fault-not-sent = Nicht gesendet.
fault-none = Markieren Sie zuerst etwas, oder drücken Sie „Keine davon“.
fault-few =
    { $min ->
        [1] Markieren Sie zuerst etwas.
       *[other] Markieren Sie mindestens { $min } Möglichkeiten.
    }
fault-many = Markieren Sie höchstens { $max }; jetzt sind { $marked } markiert.
enter-code = Geben Sie Ihren Abstimmungscode ein.
checking = Prüfung läuft…
checking-person = Zeigen Sie unten, dass Sie ein Mensch sind. Danach wird Ihre Stimme von selbst gesendet.
checking-work = Ihr Gerät rechnet einen Augenblick, damit Programme nicht viele Male abstimmen können. Danach wird Ihre Stimme von selbst gesendet.
checking-share = { $share } %
check-failed = Die Prüfung hat nicht funktioniert. Laden Sie diese Seite neu und versuchen Sie es noch einmal.
check-too-old = Laden Sie diese Seite neu: Sie ist älter als der Dienst.
check-no-calculation = Ihr Browser kann diese Rechnung nicht ausführen. Versuchen Sie es mit einem anderen Browser.
check-person-failed = Die Prüfung, ob Sie ein Mensch sind, hat nicht funktioniert. Laden Sie diese Seite neu und versuchen Sie es noch einmal.
check-person-blocked = Die Prüfung, ob Sie ein Mensch sind, kann nicht geladen werden. Vielleicht liegt es an einem Skriptblocker.
not-stored = Ihre Stimme ist nicht gespeichert
accepted = Angenommen: Sie haben gestimmt für
accepted-none = Angenommen: Sie haben keine der Möglichkeiten gewählt
stands = Ihre Stimme gilt: Sie haben gestimmt für
stands-other = Sie hatten schon gestimmt für
stands-none = Ihr Stimmzettel gilt: Sie haben keine der Möglichkeiten gewählt
stopped = Abgebrochen.
no-answer = Keine Antwort vom Server.
unconfirmed = Ihre Stimme ist nicht bestätigt. Drücken Sie den Knopf noch einmal: Sie wird nie doppelt gezählt.
sending = Ihre Stimme wird gesendet…
waiting = Noch nicht bestätigt.
waiting-words = Es wird von selbst noch einmal versucht; lassen Sie diese Seite offen.
wait-network = Keine Verbindung zum Server.
wait-slow = Die Verbindung ist langsam: Die Stimme kam nicht vollständig an.
wait-server = Der Server ist ausgelastet.
wait-limit = Sehr viele Menschen in Ihrem Netz senden gerade etwas.
wait-closing-soon = Die Abstimmung endet gleich: Eine Stimme, die bis dahin nicht angenommen ist, zählt nicht.
wait-closing-over = Die Abstimmung ist inzwischen beendet: Diese Seite fragt, ob Ihre Stimme rechtzeitig gespeichert wurde.
try-in = Versuch { $attempt } in { $left }.
try-now = Versuch { $attempt } jetzt…
not-voted-yet = Sie haben noch nicht abgestimmt
not-voted-yet-words = Der Dienst kann wieder sehen, ob Sie abgestimmt haben.
too-old = Diese Seite ist zu alt, um damit abzustimmen.
too-old-words = Laden Sie sie neu und stimmen Sie noch einmal ab. Wenn das nicht hilft, schließen Sie sie und öffnen Sie die Adresse von Neuem.
not-stored-title = Ihre Stimme ist nicht gespeichert.
check-no-success = Die Prüfung ist nicht gelungen. Laden Sie diese Seite neu und stimmen Sie noch einmal ab.
poll-gone = Diese Abstimmung gibt es nicht mehr.
poll-gone-words = Fragen Sie die Person, von der Sie die Adresse haben.
not-taken = Ihre Stimme wurde nicht angenommen.
not-taken-words = Laden Sie diese Seite neu und stimmen Sie noch einmal ab.
