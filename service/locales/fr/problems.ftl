# Titles and details of problems. A detail is the rest of a sentence: it begins in lower case and has no full stop.

problem-already-voted = Vous avez déjà voté
problem-bad-code = Code non reconnu
problem-challenge-required = Encore une étape
problem-code-used = Ce code a déjà servi
problem-cross-site = Pas depuis ce site
problem-idempotency-key-reused = Idempotency-Key déjà utilisée
problem-invalid-choice = Choix non valable
problem-malformed = Requête mal formée
problem-method-not-allowed = Méthode non permise
problem-not-found = Introuvable
problem-no-receipt = Pas de reçu
problem-not-open = Le vote n’est pas ouvert
problem-results-hidden = Les résultats sont masqués
problem-too-large = Trop grand
problem-too-many-new-voters = Trop de nouveaux votants
problem-too-many-wrong-codes = Trop de codes erronés
problem-too-slow = Trop lent
problem-unavailable = Réessayez dans un instant
problem-unknown-poll = Vote inconnu
problem-unsupported-media = Type de média non pris en charge
detail-nothing-here = rien ne se trouve à cette adresse
detail-no-poll = il n’y a pas de vote « { $slug } »
detail-too-large = une requête peut contenir { $bytes } octets au plus
detail-method = cette adresse n’accepte pas cette méthode
detail-form = la requête n’a pas la forme que cette adresse attend
detail-polls-unknown = les votes ne sont pas encore connus
detail-poll-unknown = le vote n’est pas encore connu
detail-too-many-followers = de très nombreuses pages suivent ce vote ; cette page redemande plutôt de temps en temps
detail-mark-or-abstain = choisissez d’abord une option, ou appuyez sur le bouton pour n’en choisir aucune
detail-code-of-screen = aucun vote n’a le code « { $code } » ; regardez de nouveau l’écran et tapez ses lettres, majuscules ou minuscules ; il n’a ni chiffre ni voyelle
detail-not-safe = les bulletins ne peuvent pas être enregistrés de façon sûre en ce moment
detail-no-storing = les bulletins ne peuvent pas être enregistrés en ce moment
detail-full = trop de bulletins attendent d’être comptés
detail-no-receipts = ce vote ne donne pas de reçus
detail-receipt-unknown = on ne sait pas pour le moment si un vote de ce navigateur est enregistré ; réessayez bientôt
detail-no-vote-here = aucun vote de ce navigateur n’est enregistré pour ce scrutin
detail-token = le jeton de vote ne peut pas être utilisé : { $reason ->
        [expired] il a expiré
        [forged] ce service ne l’a pas signé pour cet usage
       *[other] il est mal formé
    } ; rechargez la page et votez de nouveau
detail-cookie = le cookie ne peut pas être utilisé : { $reason ->
        [expired] il a expiré
        [forged] ce service ne l’a pas signé pour cet usage
       *[other] il est mal formé
    } ; il a été supprimé, rechargez la page et votez de nouveau
detail-not-stored = votre vote n’a pas pu être enregistré ; réessayez : il n’est jamais compté deux fois
detail-being-set-up = ce vote est en préparation ; réessayez dans un instant
detail-key-reused = cette Idempotency-Key est déjà venue avec d’autres choix ; utilisez-en une nouvelle pour un nouveau bulletin
detail-cross-site = ce bulletin venait d’une page d’un autre site ; ouvrez-le sur son propre site et votez là
detail-needs-token = une page d’un autre site doit envoyer le jeton de vote que renvoie GET /api/polls/{ "{" }slug{ "}" }
detail-too-many-voters = votre vote n’est pas encore enregistré : de très nombreux nouveaux votants viennent de votre réseau, et il pourra amener le suivant dans { $seconds } s environ
detail-too-many-voters-closing = votre vote n’est pas encore enregistré : de très nombreux nouveaux votants viennent de votre réseau, et il pourra amener le suivant dans { $seconds } s environ ; le vote se clôt avant, dans { $left } s
detail-stands = votre vote pour { $labels } est enregistré
detail-stands-none = votre bulletin, qui ne choisit aucune des options, est enregistré
detail-not-opened = ce vote n’est pas encore ouvert ; votez dès qu’il le sera
detail-has-closed = ce vote est clos, ce bulletin ne compte donc pas
detail-takes-none = ce vote n’accepte pas de bulletins maintenant
detail-media-type = envoyez le bulletin en { $type }
detail-challenge = votre vote n’est pas encore enregistré : les nouveaux votants doivent d’abord résoudre une épreuve ; résolvez celle de cette réponse, et renvoyez le même bulletin, comme le même votant, avec la solution
detail-challenge-wrong = votre vote n’est pas encore enregistré : la solution de l’épreuve n’a pas été acceptée ({ $reason }) ; résolvez celle de cette réponse, et renvoyez le même bulletin, comme le même votant, avec la solution
detail-unchecked = votre vote n’est pas encore enregistré : il est impossible en ce moment de vérifier que vous êtes une personne ; réessayez dans { $seconds } s
detail-bad-code = ce code n’est pas reconnu ; comparez-le à votre invitation, lettre par lettre : XXXX-XXXX-XXXX-XXXX
detail-no-code = saisissez votre code de vote, de la forme XXXX-XXXX-XXXX-XXXX ; il accompagnait votre invitation
detail-code-again = saisissez de nouveau votre code de vote pour changer votre vote
detail-code-used = ce code a déjà servi, et son bulletin est enregistré ; seul le navigateur qui l’a envoyé montre les choix
detail-wrong-codes = de très nombreux codes de vote erronés viennent de votre réseau ; vérifiez le code, et réessayez dans une minute
detail-ended-early = la requête s’est terminée trop tôt
detail-too-slow = la requête n’est pas arrivée en { $ms } ms ; renvoyez-la
detail-choose-exactly = choisissez-en exactement { $min }, et non { $given }
detail-choose-range = choisissez-en { $min } à { $max }, et non { $given }
detail-no-option = « { $name } » n’est pas une option ; choisissez parmi { $options }
detail-no-history = l’historique ne peut pas être lu en ce moment
detail-no-account = le compte ne peut pas être lu en ce moment
detail-no-account-yet = le compte de ce vote n’a pas encore été établi
detail-no-picture = l’image ne peut pas être dessinée en ce moment
detail-no-second = cette adresse ne nomme aucune seconde ; écrivez-en une comme 2026-05-16T21:05:30Z
detail-second-to-come = cette seconde n’est pas encore passée
detail-log-too-long = ce registre est trop long pour être recompté pour une page ; les responsables de ce scrutin peuvent demander `votectl poll at { $poll }`, et chacun peut le recompter avec `votectl verify`
detail-no-log = ce scrutin n’a pas de registre public, et ses votants ne reçoivent pas de reçus
detail-log-away = le registre public ne peut pas être lu pour le moment
detail-log-wrong = le registre public ne peut pas être recompté : une entrée est illisible ou contredit les précédentes ; dites-le aux responsables de ce vote
detail-log-deleted = les entrées de ce registre ont été supprimées quand le scrutin a été scellé ou ses votes effacés ; ses empreintes et points de contrôle restent
detail-too-many-viewers = de très nombreuses personnes regardent ; cette page réessaie d’elle-même
detail-results-hidden = les résultats de ce vote ne sont pas montrés maintenant
