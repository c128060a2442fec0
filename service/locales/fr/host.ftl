# Pages et problèmes du service des organisateurs. Un détail est la suite d’une phrase : sans majuscule et sans point final.

host-error-title = Erreur : { $title }
host-person = Connecté en tant que { $name }
host-sign-out = Se déconnecter
host-go-back = Retour
host-sign-in = Se connecter
host-sign-in-link = Ce lien vous connecte une seule fois.
host-token = Votre jeton
host-token-hint = 64 chiffres et lettres, tels que votectl les a affichés lors de votre ajout
host-token-confirm = Votre jeton, pour confirmer
host-token-confirm-hint = Ceci est irréversible, et votre connexion date de plus de cinq minutes
host-polls = Vos votes
host-all-polls = Tous les votes
host-no-polls = Il n’y a pas encore de vote.
host-voters-counted =
    { $voters ->
        [one] { $voters } personne comptée
       *[other] { $voters } personnes comptées
    }
host-opens = ouverture { $at }
host-closes = clôture { $at }
host-create = Créer un vote
host-create-send = Créer le vote
host-field-slug = Nom dans les adresses
host-field-slug-hint = Minuscules de a à z, chiffres et traits d’union, par exemple chats-ou-chiens
host-field-title = Question
host-field-options = Options
host-field-options-hint = Une par ligne, de 2 à 63 ; dès que quelqu’un a voté, seule leur orthographe peut changer
host-field-option = Option « { $slug } »
host-field-choices = Combien d’options un bulletin peut choisir
host-field-second = Un second vote
host-second-keep = Le premier vote compte
host-second-replace = Chacun peut changer son vote
host-field-voters = Qui peut voter
host-voters-open = Tout le monde, une fois par navigateur
host-voters-code = Qui possède un code de vote
host-field-seen = Qui voit les résultats
host-seen-always = Tout le monde, dès le début
host-seen-close = Tout le monde, une fois le vote clos
host-seen-vote = Qui a voté, et tout le monde une fois le vote clos
host-seen-admin = Les organisateurs seuls, jusqu’à ce que quelqu’un les révèle
host-field-opens = Ouverture
host-field-opens-draft = Ouverture (laissez vide pour un brouillon)
host-field-closes = Clôture (laissez vide pour clore le vote à la main)
host-field-closes-now = Clôture (laissez vide pour clore le vote maintenant)
host-field-later = De combien plus tard, ou jusqu’à quand
host-field-time-hint = now, +10m, +2h, ou une heure comme 2026-03-01 20:00 Europe/Berlin
host-field-hide = Jusqu’à quand
host-hide-close = Jusqu’à ce que le vote soit clos et que toutes les voix soient comptées
host-hide-vote = Jusqu’à ce qu’on ait voté, ou que le vote soit clos
host-hide-revealed = Jusqu’à ce que quelqu’un les révèle
host-tasks = Tâches
host-task-open = Ouvrir le vote
host-task-extend = Prolonger le vote
host-task-close = Clore le vote
host-task-reveal = Révéler les résultats
host-task-hide = Masquer les résultats
host-task-correct = Corriger les textes
host-task-cancel = Annuler l’ouverture
host-task-archive = Archiver le vote
host-does-open = À partir de l’heure d’ouverture, quiconque connaît l’adresse peut voter. Une heure qui n’est pas encore atteinte peut être changée jusqu’à cinq secondes avant.
host-does-extend = Le vote sera clos plus tard que prévu. Les bulletins ouverts montrent la nouvelle heure en deux secondes.
host-does-close = Un vote est clos pour de bon. Les bulletins arrivés avant sont comptés, même si cela prend un instant de plus.
host-does-reveal = Tout le monde voit désormais les résultats, même pendant que le vote est ouvert.
host-does-hide = Les pages et l’API ne montrent plus les résultats. Qui les a vus les a vus.
host-does-correct = Les nouveaux textes paraissent en deux secondes sur les pages ouvertes. Les voix restent à leurs options, et les textes précédents restent indiqués sur la page du vote.
host-does-cancel = Le vote redevient un brouillon, sans heure d’ouverture ni de clôture.
host-does-archive = Le vote quitte pour de bon toutes les pages des votants. Voix et résultats sont conservés. Ce que Redis sait des votants est oublié.
host-done-create = Le vote est créé.
host-done-open = L’heure d’ouverture est fixée.
host-done-extend = L’heure de clôture est maintenant plus tardive.
host-done-close = L’heure de clôture est fixée.
host-done-reveal = Tout le monde voit maintenant les résultats.
host-done-hide = Les résultats sont maintenant masqués.
host-done-correct = Les nouveaux textes sont enregistrés. Les précédents restent indiqués plus bas.
host-done-cancel = L’ouverture est annulée. Le vote est de nouveau un brouillon.
host-done-archive = Le vote est archivé.
host-seals = Archiver ce vote le scelle aussi. Seule cette commande le fait :
host-results = Résultats
host-not-opened = Le vote n’a pas encore ouvert.
host-not-final-open = Pas définitif : le vote est ouvert.
host-not-final-counting = Pas définitif : on compte les derniers bulletins.
host-final = Définitif : chaque bulletin accepté est compté.
host-waiting =
    { $ballots ->
        [0] Aucun bulletin accepté n’attend d’être compté.
        [one] { $ballots } bulletin accepté n’est pas encore compté.
       *[other] { $ballots } bulletins acceptés ne sont pas encore comptés.
    }
host-waiting-unknown = On ne sait pas combien de bulletins acceptés ne sont pas encore comptés.
host-as-of = État : { $at }.
host-reload = Recharger
host-column-option = Option
host-column-votes = Voix
host-column-share = Part
host-rules = Règles
host-rule-opens = Ouverture
host-rule-closes = Clôture
host-no-time = aucune heure fixée
host-by-hand = à la main
host-rule-choices = Choix par bulletin
host-choices = { $min } à { $max }
host-rule-ballot = Bulletin
host-rule-results = Page des résultats
host-corrections = Corrections
host-steps = Dernières étapes
host-column-when = Quand
host-column-field = Champ
host-column-before = Avant
host-column-after = Après
host-column-who = Qui
host-column-step = Étape
problem-forged = Rouvrez la page
problem-needs-tls = Revenez par TLS
problem-not-signed-in = Connectez-vous d’abord
problem-refused = Ce n’est pas possible
problem-too-many-attempts = Trop de tentatives
problem-unconfirmed = Montrez encore une fois votre jeton
host-detail-session-ended = votre session est terminée, et rien n’a été changé
host-detail-earlier-session = la page appartient à une session précédente : rouvrez-la
host-detail-other-site = une page d’un autre site a envoyé cette requête
host-detail-needs-tls = les jetons ne traversent aucun réseau sans TLS : utilisez une adresse qui commence par https
host-detail-wrong-token = ce jeton n’est pas valable, ou il a été révoqué
host-detail-used-link = ce lien a déjà servi, ou date de plus de 15 minutes ; demandez-en un autre, ou utilisez votre jeton
host-detail-attempts = trop de tentatives venues de votre réseau étaient fausses : attendez un peu
host-detail-unconfirmed = ceci est irréversible : saisissez votre jeton pour confirmer
host-detail-database = la base de données ne peut pas être consultée en ce moment
host-detail-away = un serveur est injoignable en ce moment ; regardez le vote avant de réessayer
host-detail-failed = l’ordre n’a pas pu être exécuté ; le journal du service dit pourquoi
host-detail-not-yours = vous ne pouvez pas créer un vote « { $slug } » : il n’est pas de ceux qui vous sont attribués
host-detail-not-now = les réglages et l’état du vote ne le permettent pas maintenant
host-detail-taken = il y a déjà un vote nommé « { $slug } »
host-detail-no-option = le vote n’a pas d’option « { $slug } »
host-detail-slug = le nom dans les adresses a de 1 à 63 caractères : minuscules de a à z, chiffres, et traits d’union entre eux
host-detail-title = la question a de 1 à { $max } caractères, pas { $given }
host-detail-options = un vote a de 2 à { $max } options, pas { $given }
host-detail-choices = un bulletin peut choisir de 1 à { $max } options, pas « { $given } »
host-detail-time = « { $given } » n’est pas une heure : écrivez now, +10m, +2h, +1d, ou une heure comme 2026-03-01 20:00 Europe/Berlin
host-detail-time-zone = l’heure « { $given } » a besoin de son fuseau, comme { $given } Europe/Berlin
host-detail-no-zone = il n’y a pas de fuseau horaire « { $given } » ; un exemple est Europe/Berlin
host-detail-say-when = dites de combien, ou jusqu’à quand
host-detail-value = « { $given } » n’est pas une valeur de { $name }
host-detail-needs-opening = une heure de clôture a besoin d’une heure d’ouverture
host-detail-is-draft = le vote n’a pas ouvert : c’est un brouillon
host-detail-is-over = ceci ne peut plus être changé, car le vote est { $state ->
        [archived] archivé
       *[other] clos
    }
host-detail-not-opened = le vote n’a pas ouvert : indiquez l’heure à laquelle il sera clos
host-detail-closes-soon = le vote sera clos de lui-même dans quelques secondes
host-detail-opens-soon = le vote ouvre de lui-même dans quelques secondes
host-detail-too-early = le vote peut être clos dans { $ms } ms au plus tôt : choisissez une heure plus tardive, ou aucune
host-detail-closes-first = le vote serait clos avant d’ouvrir : choisissez une clôture plus tardive
host-detail-is-open = le vote est déjà ouvert
host-detail-has-opened = le vote a ouvert : pour y mettre fin, clôturez-le
host-detail-no-end = le vote n’a pas d’heure de clôture : clôturez-le en indiquant l’heure
host-detail-ends-later = le vote sera clos { $at } déjà : choisissez une heure plus tardive
host-detail-past = un vote ne peut pas ouvrir dans le passé : choisissez une heure plus tardive
host-detail-close-first = le vote est ouvert, ou va ouvrir : clôturez-le d’abord
host-detail-seals = ce vote est scellé quand on l’archive, ce que seul `votectl poll archive` peut faire
host-codes = Codes de vote
host-codes-new = Nouveaux codes
host-codes-new-does = La page suivante montre les nouveaux codes, une seule fois. Seules leurs empreintes sont enregistrées, si bien que personne ne pourra les montrer de nouveau : imprimez la page.
host-codes-count = Combien
host-codes-count-hint = De 1 à 1 000 à la fois
host-codes-issue = Créer des codes
host-codes-own = Codes déjà distribués
host-codes-own-does = Ils deviennent aussi des codes de ce vote. Les codes que le vote possède déjà restent tels quels.
host-codes-field = Liste des codes
host-codes-field-hint = Un par ligne : 16 chiffres et lettres sans I, L, O ni U ; traits d’union et espaces ne comptent pas
host-codes-import = Ajouter ces codes
host-codes-added =
    { $added ->
        [one] { $added } code ajouté.
       *[other] { $added } codes ajoutés.
    } { $there ->
        [0] Aucun n’y était déjà.
       *[other] Déjà présents : { $there }.
    }
host-codes-guessable = Certains de ces codes se devinent à partir d’autres, ou ont été inventés. Qui en devine un peut voter avec.
host-cards = Nouveaux codes de vote
host-cards-note = Imprimez cette page maintenant, et découpez le long des pointillés. Une fois que vous l’aurez quittée, personne ne pourra plus montrer ces codes. Qui en possède un peut voter avec.
host-cards-picture = Code QR du lien personnel
host-cards-how = Scannez l’image, ou ouvrez le bulletin et saisissez ce code. Il compte une fois. Gardez-le pour vous.
host-download = Télécharger :
host-detail-count = créez de 1 à { $max } codes à la fois, pas « { $given } »
host-detail-no-code = la ligne { $line } n’est pas un code, et rien n’a été ajouté : un code a 16 caractères, chiffres et lettres sans I, L, O ni U
host-detail-codes-empty = il n’y a aucun code à ajouter
host-detail-no-codes = tout le monde peut voter ici : seul un vote qui exige des codes en accepte
