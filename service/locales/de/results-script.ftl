# Sentences that the scripts of the results page and of the presenter view write; the server writes some of them first. They
# may hold variables and selections by number, and no other part of Fluent.

results-final = Endergebnis: Die Abstimmung ist beendet
results-counting-some =
    { $waiting ->
        [one] Beendet: Die letzte Stimme wird gezählt
       *[other] Beendet: Die letzten { $waiting } werden gezählt
    }
results-counting = Beendet: Die letzten Stimmen werden gezählt
results-not-open = Noch nicht geöffnet
results-open = Die Abstimmung läuft
until = bis
closed-at = beendet
opens-at = beginnt
hidden-not-published = Wer diese Abstimmung durchführt, hat sie nicht veröffentlicht.
hidden-counting = Sie erscheinen hier, sobald die letzten Stimmen gezählt sind.
hidden-until = Sie erscheinen hier, sobald die Abstimmung endet, { $at }.
hidden-until-close = Sie erscheinen hier, sobald die Abstimmung endet.
hidden-after-vote = Sie sehen sie, sobald Sie abgestimmt haben, und alle sehen sie, sobald die Abstimmung beendet ist.
lead-tied = Gleichauf
lead-most = Meiste Stimmen
lead-leading = Vorn
votes =
    { $votes ->
        [one] { $votes } Stimme
       *[other] { $votes } Stimmen
    }
people-counted =
    { $people ->
        [one] { $people } Person gezählt.
       *[other] { $people } Personen gezählt.
    }
spoken-option = { $label }: { $share }, { $votes }
spoken-reveal = Die Ergebnisse sind jetzt zu sehen.
spoken-hidden = Die Ergebnisse sind jetzt verborgen.
spoken-lost = Die Verbindung ist unterbrochen: Die Zahlen bewegen sich nicht.
spoken-back = Die Verbindung ist wieder da.
light-live = Live
light-silent = Seit { $seconds } s nichts Neues
light-stale = Veraltet seit { $at }
light-reconnecting = Verbindung wird wiederhergestellt…
light-reconnecting-as-of = Verbindung wird wiederhergestellt… Zahlen von { $at }
light-connecting = Verbindung wird aufgebaut…
chart-summary = Höchstwert { $peak }, Mittel { $mean } Stimmen pro Sekunde
chart-empty = Keine Stimmen in den letzten 5 Minuten
countdown-closes-at = endet { $at }
countdown-opens-at = beginnt { $at }
countdown-closes-in = endet in
countdown-opens-in = beginnt in
people-voted =
    { $people ->
        [one] Person hat abgestimmt
       *[other] Personen haben abgestimmt
    }
