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
account-link = Ce qu’est devenu chaque bulletin
account-title = { $title } – compte de tous les bulletins
account-intro = Ce qu’est devenu chaque bulletin accepté. Un bulletin est accepté dès que la personne qui vote l’a lu. Les chiffres sont relevés au même instant sur les deux serveurs.
account-balanced = Le compte est juste : chaque bulletin accepté figure dans une de ces lignes.
account-missing = Bulletins manquants depuis { $since } : { $ballots }. Ils ont été acceptés et ne figurent dans aucune de ces lignes. Les responsables de ce vote doivent les rechercher.
account-surplus = Bulletins en trop depuis { $since } : { $ballots }. Ils figurent dans ces lignes et n’ont pas été acceptés. Les responsables de ce vote doivent trouver d’où ils viennent.
account-unknown = On ne sait pas combien de bulletins ont été acceptés : le serveur qui les compte est revenu à un état antérieur.
account-none = Le compte de ce vote n’a pas encore été établi.
account-until = Bulletins reçus jusqu’à
account-old = Ce compte est ancien : aucun plus récent n’a pu être établi.
account-ballots = Bulletins
account-number = Nombre
account-meaning = Ce que cela veut dire
account-counted = Comptés
account-counted-words = Ils sont dans le résultat.
account-replaced = Remplacés
account-replaced-words = Un autre bulletin de la même personne compte.
account-out-of-time = Hors délai
account-out-of-time-words = Le vote n’était pas ouvert à leur arrivée.
account-no-code = Code inconnu
account-no-code-words = La personne n’a pas de code pour ce vote.
account-dead = Mis de côté
account-dead-words = Ils ne peuvent être ni lus ni comptés et sont gardés pour les responsables de ce vote.
account-dropped = Écartés
account-dropped-words = Ils avaient été mis de côté, et les responsables de ce vote les ont retirés.
account-waiting = En attente
account-waiting-words = Ils sont enregistrés et seront comptés ensuite.
account-unexplained = Inexpliqués
account-accepted = Acceptés
account-number-unknown = inconnu
account-results = Les résultats

# La page du résultat à une seconde passée.
past-link = Le résultat à une seconde passée
past-title = { $title } – état à { $at }
past-intro = Le résultat tel qu’il était à cette seconde, recompté d’après le registre public : tous les bulletins arrivés jusque-là, chacun à l’heure où il a été accepté.
past-at = Le résultat à
past-steps = Autres secondes
past-seconds = { $number } s
past-minutes = { $number } min
past-agrees = La série temporelle concorde : parmi les bulletins arrivés jusque-là, { $log } comptent aujourd’hui.
past-differs = Le registre et la série temporelle diffèrent. Parmi les bulletins arrivés jusque-là, { $log } comptent aujourd’hui selon le registre, et { $series } selon la série. Cela passe pendant que des bulletins sont comptés ; si cela dure, demandez aux responsables de ce scrutin.
