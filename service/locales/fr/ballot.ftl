# The ballot page, as the server renders it.

opens-word = Ouverture :
opens-label = Temps restant avant l’ouverture du vote
opens-undecided = L’heure d’ouverture n’est pas encore fixée.
not-started = Le vote n’a pas commencé
shows-itself = Cette page affichera d’elle-même le bulletin dès l’ouverture du vote.
reload-without-script = Sans JavaScript, rechargez-la à ce moment-là.
closed-word = Clôture :
vote-not-kept = Pour ce vote, on ne conserve plus de quel navigateur venait chaque voix.
vote-unknown = Votre vote n’est pas connu pour le moment
vote-unknown-words = Le service ne peut pas voir en ce moment si vous avez voté. Un vote accepté est en sécurité.
vote-asking = Cette page redemandera d’elle-même.
reload-soon = Rechargez cette page dans un instant.
chose-none = Vous n’avez choisi aucune des options
voted-for = Vous avez voté pour
note-code-again = Votre vote compte une fois. Pour le changer, saisissez de nouveau votre code ci-dessous.
no-cookie-note = Ce navigateur ne garde pas de cookies : cette page ne pourra plus montrer votre vote une fois que vous l’aurez quittée. Le vote reste acquis : inutile de voter de nouveau.
forget = Une autre personne vote sur cet appareil
forget-note = Cette page ne montrera alors plus votre vote. Le vote lui-même reste.
code-label = Votre code de vote
code-hint = Il accompagnait votre invitation et compte une fois.
remember = Se souvenir de moi sur cet appareil, pour que je puisse changer mon vote sans le code. Pas sur un appareil que d’autres utilisent.
policy-code-replace = Vous pouvez changer votre vote avec le même code jusqu’à la clôture.
policy-replace = Vous pouvez changer votre vote jusqu’à la clôture.
policy-keep = Votre premier vote est définitif : vous ne pouvez pas le changer.
choose-one-or-none = Choisissez une option, ou aucune
choose-one = Choisissez une option
choose-exactly = Choisissez-en exactement { $max }
choose-up-to-or-none = Choisissez-en jusqu’à { $max }, ou aucune
choose-up-to = Choisissez-en jusqu’à { $max }
choose-range = Choisissez-en { $min } à { $max }
preview-words =
    { $state }. { $choose } ({ $options ->
        [one] { $options } option
       *[other] { $options } options
    }).
preview-state = { $state }.
needs-script = Ce vote a besoin de JavaScript : avant d’accepter une voix, il doit vérifier qu’aucun programme ne vote de nombreuses fois. Activez JavaScript pour cette page, ou utilisez un autre navigateur.
abstain = Aucune de ces options
stop = Arrêter les essais
secrecy-secret = Les personnes qui organisent ce vote peuvent savoir qui a choisi quoi jusqu’à ce qu’elles l’archivent. Il est alors scellé, et plus personne ne le peut.
secrecy-open = Les personnes qui organisent ce vote peuvent savoir qui a choisi quoi.
no-cookies = Ce navigateur ne garde pas de cookies. Votre vote compte quand même, une fois ; mais cette page ne pourra pas le montrer à votre retour.
will-choose = Vous choisirez entre
receipt-check = Vérifier que votre vote figure dans le registre public
receipt-save = Enregistrer le reçu
receipt-qr = Afficher le reçu sous forme de code QR
receipt-qr-words = Scannez-le avec un autre appareil pour y vérifier ou garder le reçu. Qui a le reçu voit votre choix. Le numéro en dessous est le nom de votre bulletin dans le registre public.
receipt-qr-alt = Code QR de votre reçu et nom de votre bulletin dans le registre public
see-results = Voir les résultats
ballot-foot = Chaque votant compte une fois. Un cookie, si ce navigateur le garde, se souvient du vote.
without-script-always = Votre vote n’est pas enregistré. Avant d’accepter une voix, ce vote doit vérifier qu’aucun programme ne vote de nombreuses fois, et cela demande JavaScript. Activez JavaScript pour cette page, ou utilisez un autre navigateur, puis votez de nouveau.
without-script-busy = Votre vote n’est pas enregistré. De très nombreux nouveaux votants arrivent en ce moment : le service doit vérifier qu’aucun programme ne vote de nombreuses fois, et cela demande JavaScript. Activez JavaScript pour cette page, ou utilisez un autre navigateur, puis votez de nouveau. Sans JavaScript, réessayez dans quelques minutes.
