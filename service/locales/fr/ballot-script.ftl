# Sentences that the scripts of the ballot page write; the server writes some of them first. They may hold variables and
# selections by number, and no other part of Fluent.

state-open = Le vote est ouvert
state-closed = Le vote est clos
state-not-open = Pas encore ouvert
closes-until = jusqu’à
closes-since = depuis
time-left = encore { $left }
closing-now = clôture en cours
opens-in = dans { $left }
opening-now = ouverture en cours
span-seconds = { $s } s
span-minutes = { $m } min { $s } s
span-hours = { $h } h { $m } min
span-days =
    { $days ->
        [one] { $days } jour
       *[other] { $days } jours
    } { $h } h
thanks = Merci d’avoir voté.
no-vote-here = Aucun vote de votre part n’est noté dans ce navigateur.
note-change = Votre vote compte une fois. Vous pouvez le changer jusqu’à la clôture.
note-stands = Votre vote compte une fois ; il est définitif.
hint-remembered = Laissez ce champ vide pour changer le vote ci-dessus. Une autre personne saisit son propre code.
policy-another = Une autre personne peut voter ici, avec son propre code. Chaque code donne une voix.
chosen-count = { $marked } sur { $max } choisies
send-vote = Voter
send-vote-for = Voter pour { $choice }
send-vote-for-many = Voter pour { $count } options
send-change = Changer mon vote
send-change-to = Changer mon vote : { $choice }
send-change-to-many = Changer mon vote : { $count } options
fault-stands = C’est le vote déjà enregistré.
fault-stands-words = Choisissez une autre option pour le changer.
fault-not-sent = Non envoyé.
fault-none = Choisissez d’abord une option, ou appuyez sur « Aucune de ces options ».
fault-few =
    { $min ->
        [1] Choisissez d’abord une option.
       *[other] Choisissez au moins { $min } options.
    }
fault-many = Choisissez { $max } options au plus ; { $marked } sont choisies.
enter-code = Saisissez votre code de vote.
checking = Vérification…
checking-person = Montrez ci-dessous que vous êtes une personne. Votre vote sera ensuite envoyé de lui-même.
checking-work = Votre appareil calcule un instant, pour que des programmes ne puissent pas voter de nombreuses fois. Votre vote sera ensuite envoyé de lui-même.
checking-share = { $share } %
check-failed = La vérification n’a pas fonctionné. Rechargez cette page et réessayez.
check-too-old = Rechargez cette page : elle est plus ancienne que le service.
check-no-calculation = Votre navigateur ne peut pas faire ce calcul. Essayez un autre navigateur.
check-person-failed = La vérification que vous êtes une personne n’a pas fonctionné. Rechargez cette page et réessayez.
check-person-blocked = La vérification que vous êtes une personne ne peut pas être chargée. Un bloqueur de scripts en est peut-être la cause.
not-stored = Votre vote n’est pas enregistré
accepted = Accepté : vous avez voté pour
accepted-none = Accepté : vous n’avez choisi aucune des options
stands = Votre vote est enregistré : vous avez voté pour
stands-other = Vous aviez déjà voté pour
stands-none = Votre bulletin est enregistré : vous n’avez choisi aucune des options
stopped = Arrêté.
no-answer = Pas de réponse du serveur.
unconfirmed = Votre vote n’est pas confirmé. Appuyez de nouveau sur le bouton : il n’est jamais compté deux fois.
sending = Envoi de votre vote…
waiting = Pas encore confirmé.
waiting-words = Un nouvel essai se fait de lui-même ; gardez cette page ouverte.
wait-network = Pas de connexion au serveur.
wait-slow = La connexion est lente : le vote n’est pas arrivé en entier.
wait-server = Le serveur est occupé.
wait-limit = De très nombreuses personnes de votre réseau envoient quelque chose au même moment.
wait-closing-soon = Le vote va se clore : une voix qui n’est pas acceptée d’ici là ne compte pas.
wait-closing-over = Le vote s’est clos entre-temps : cette page demande si votre voix a été enregistrée à temps.
try-in = Essai { $attempt } dans { $left }.
try-now = Essai { $attempt } maintenant…
not-voted-yet = Vous n’avez pas encore voté
not-voted-yet-words = Le service peut de nouveau voir si vous avez voté.
too-old = Cette page est trop ancienne pour voter.
too-old-words = Rechargez-la et votez de nouveau. Si cela n’aide pas, fermez-la et ouvrez de nouveau l’adresse.
not-stored-title = Votre vote n’est pas enregistré.
check-no-success = La vérification n’a pas abouti. Rechargez cette page et votez de nouveau.
poll-gone = Ce vote n’existe plus.
poll-gone-words = Demandez à la personne qui vous a donné l’adresse.
not-taken = Votre vote n’a pas été pris en compte.
not-taken-words = Rechargez cette page et votez de nouveau.
