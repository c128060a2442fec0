# The results page, the presenter view and the picture of the results, as the server renders them.

results-title = { $title } – résultats
screen-title = { $title } – à l’écran
open-results = Ouvrir ces résultats
preview-hidden = { $state }. Les résultats sont masqués pour l’instant.
preview-counted =
    { $people ->
        [one] { $state }. { $people } personne comptée.
       *[other] { $state }. { $people } personnes comptées.
    }
picture-counted =
    { $people ->
        [one] { $people } personne comptée, { $at }
       *[other] { $people } personnes comptées, { $at }
    }
printed-as-of = Chiffres du
no-script = Ces chiffres ne bougent pas d’eux-mêmes : il leur faut JavaScript.
no-script-reload = Recharger la page
no-script-newer = pour en avoir de plus récents.
hidden-title = Les résultats sont masqués pour l’instant
standings = Classement
turnout-and-pace = Participation et rythme
people-counted-label = Personnes comptées
votes-per-second = Votes par seconde
chart-caption = Votes par seconde, 5 dernières minutes
chart-ago = il y a 5 min
chart-now = maintenant
vote-at = Voter sur
vote-link = Voter
table-summary = Résultats en tableau
table-caption = Voix pour chaque option ; parts des personnes comptées
table-option = Option
table-votes = Voix
table-share = Part
as-of = En date du
light-as-of = En date du { $at }
all-polls = Tous les votes
poll-state =
    { $state ->
        [draft] brouillon
        [scheduled] prévu
        [open] ouvert
        [closed] clos
        [archived] archivé
       *[other] inconnu
    }
curtain-words = Ils seront montrés dans un instant.
and-more = et { $count } autres
how-to-vote = Comment voter
qr-label = Code QR de l’adresse ci-dessous
scan-or-go = Scannez, ou allez sur
screen-keys = Écran
key-full = plein écran
key-hide = masquer
key-reveal = révéler
key-previous = Vote précédent
key-next = Vote suivant
