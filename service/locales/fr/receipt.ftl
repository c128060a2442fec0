# The page that checks a receipt, as the server renders it.

receipt-title = { $title } – vérifier un reçu
receipt-link = Vérifier votre reçu
receipt-intro = Un reçu est la promesse signée qu’un bulletin figure dans le registre public de ce vote. Cette page le vérifie dans votre navigateur, à l’aide du registre publié. Le reçu n’est envoyé à personne ; seuls le numéro de son bulletin et son nombre aléatoire le sont, pour trouver son entrée.
receipt-no-script = Cette page a besoin de JavaScript, car c’est votre navigateur qui vérifie.
receipt-none = Ce vote ne donne pas de reçus et n’a pas de registre public.
receipt-paste = Collez le reçu
receipt-file = Ou choisissez le fichier
receipt-button = Vérifier
