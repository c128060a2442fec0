# Sentences that the scripts of the results page and of the presenter view write; the server writes some of them first. They
# may hold variables and selections by number, and no other part of Fluent.

results-final = Résultat final : le vote est clos
results-counting-some =
    { $waiting ->
        [one] Clos : on compte le dernier vote
       *[other] Clos : on compte les { $waiting } derniers votes
    }
results-counting = Clos : on compte les derniers votes
results-not-open = Pas encore ouvert
results-open = Le vote est ouvert
until = jusqu’à
closed-at = clos
opens-at = ouvre
hidden-not-published = Les personnes qui organisent ce vote ne les ont pas publiés.
hidden-counting = Ils apparaîtront ici dès que les derniers votes seront comptés.
hidden-until = Ils apparaîtront ici dès la clôture du vote, { $at }.
hidden-until-close = Ils apparaîtront ici dès la clôture du vote.
hidden-after-vote = Vous les voyez dès que vous avez voté, et tout le monde les voit dès que le vote est clos.
lead-tied = À égalité
lead-most = Le plus de voix
lead-leading = En tête
votes =
    { $votes ->
        [one] { $votes } voix
       *[other] { $votes } voix
    }
people-counted =
    { $people ->
        [one] { $people } personne comptée.
       *[other] { $people } personnes comptées.
    }
spoken-option = { $label } : { $share }, { $votes }
spoken-reveal = Les résultats sont maintenant affichés.
spoken-hidden = Les résultats sont maintenant masqués.
spoken-lost = La connexion est perdue : les chiffres ne bougent plus.
spoken-back = La connexion est rétablie.
light-live = En direct
light-silent = Pas de nouvelles depuis { $seconds } s
light-stale = Périmé depuis { $at }
light-reconnecting = Reconnexion…
light-reconnecting-as-of = Reconnexion… chiffres de { $at }
light-connecting = Connexion…
chart-summary = Maximum { $peak }, moyenne { $mean } votes par seconde
chart-empty = Aucun vote ces 5 dernières minutes
countdown-closes-at = clôture { $at }
countdown-opens-at = ouverture { $at }
countdown-closes-in = clôture dans
countdown-opens-in = ouverture dans
people-voted =
    { $people ->
        [one] personne a voté
       *[other] personnes ont voté
    }
