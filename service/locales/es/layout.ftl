# The frame of all pages, and pages of problems.

skip = Saltar al contenido
problem-page-status = Error { $status }
preview-picture = Los resultados de la votación: { $title }
back-to-ballot = Volver a la papeleta
draft-title = Esta votación aún no está abierta
