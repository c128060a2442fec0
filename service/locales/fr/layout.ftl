# The frame of all pages, and pages of problems.

skip = Aller au contenu
problem-page-status = Erreur { $status }
preview-picture = Les résultats du vote : { $title }
back-to-ballot = Retour au bulletin
draft-title = Ce vote n’est pas encore ouvert
