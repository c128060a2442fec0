# Páginas y problemas del servicio de los organizadores. Un detalle es el resto de una frase: sin mayúscula y sin punto final.

host-error-title = Error: { $title }
host-person = Sesión de { $name }
host-sign-out = Cerrar la sesión
host-go-back = Volver
host-sign-in = Iniciar sesión
host-sign-in-link = Este enlace inicia su sesión una sola vez.
host-token = Su clave
host-token-hint = 64 cifras y letras, tal como votectl las mostró cuando se le añadió
host-token-confirm = Su clave, para confirmar
host-token-confirm-hint = Esto no se puede deshacer, y su sesión empezó hace más de cinco minutos
host-polls = Sus votaciones
host-all-polls = Todas las votaciones
host-no-polls = Todavía no hay ninguna votación.
host-voters-counted =
    { $voters ->
        [one] { $voters } persona contada
       *[other] { $voters } personas contadas
    }
host-opens = se abre { $at }
host-closes = se cierra { $at }
host-create = Crear una votación
host-create-send = Crear la votación
host-field-slug = Nombre en las direcciones
host-field-slug-hint = Letras minúsculas de la a a la z, cifras y guiones, por ejemplo gatos-o-perros
host-field-title = Pregunta
host-field-options = Opciones
host-field-options-hint = Una en cada línea, de 2 a 63; cuando alguien ha votado, solo puede cambiar su ortografía
host-field-option = Opción «{ $slug }»
host-field-choices = Cuántas opciones puede elegir una papeleta
host-field-second = Un segundo voto
host-second-keep = Cuenta el primer voto
host-second-replace = Se puede cambiar el voto
host-field-voters = Quién puede votar
host-voters-open = Todo el mundo, una vez en cada navegador
host-voters-code = Quien tenga un código de votación
host-field-seen = Quién ve los resultados
host-seen-always = Todo el mundo, desde el principio
host-seen-close = Todo el mundo, cuando la votación se haya cerrado
host-seen-vote = Quien haya votado, y todo el mundo cuando la votación se haya cerrado
host-seen-admin = Solo los organizadores, hasta que alguien los muestre
host-field-opens = Apertura
host-field-opens-draft = Apertura (déjela vacía para un borrador)
host-field-closes = Cierre (déjelo vacío para cerrar la votación a mano)
host-field-closes-now = Cierre (déjelo vacío para cerrar la votación ahora)
host-field-later = Cuánto más tarde, o hasta cuándo
host-field-time-hint = now, +10m, +2h, o una hora como 2026-03-01 20:00 Europe/Berlin
host-field-hide = Hasta cuándo
host-hide-close = Hasta que la votación se haya cerrado y todos los votos estén contados
host-hide-vote = Hasta que se haya votado, o la votación se haya cerrado
host-hide-revealed = Hasta que alguien los muestre
host-tasks = Tareas
host-task-open = Abrir la votación
host-task-extend = Prolongar la votación
host-task-close = Cerrar la votación
host-task-reveal = Mostrar los resultados
host-task-hide = Ocultar los resultados
host-task-correct = Corregir los textos
host-task-cancel = Cancelar la apertura
host-task-archive = Archivar la votación
host-does-open = A partir de la hora de apertura puede votar todo el que conozca la dirección. Una hora que aún no ha llegado se puede cambiar hasta cinco segundos antes.
host-does-extend = La votación se cierra más tarde de lo previsto. Las páginas abiertas muestran la nueva hora en dos segundos.
host-does-close = Una votación se cierra para siempre. Las papeletas que llegaron antes se cuentan, aunque eso tarde un momento más.
host-does-reveal = Todo el mundo ve los resultados desde ahora, también mientras la votación está abierta.
host-does-hide = Las páginas y la API ya no muestran los resultados. Quien los haya visto, los ha visto.
host-does-correct = Los nuevos textos aparecen en las páginas abiertas en dos segundos. Los votos siguen con sus opciones, y los textos anteriores quedan anotados en la página de la votación.
host-does-cancel = La votación vuelve a ser un borrador, sin hora de apertura ni de cierre.
host-does-archive = La votación desaparece para siempre de todas las páginas de los votantes. Los votos y los resultados se conservan. Lo que Redis sabe de sus votantes se olvida.
host-done-create = La votación está creada.
host-done-open = La hora de apertura está fijada.
host-done-extend = La hora de cierre es ahora más tardía.
host-done-close = La hora de cierre está fijada.
host-done-reveal = Todo el mundo ve ahora los resultados.
host-done-hide = Los resultados están ahora ocultos.
host-done-correct = Los nuevos textos están guardados. Los anteriores quedan anotados abajo.
host-done-cancel = La apertura está cancelada. La votación vuelve a ser un borrador.
host-done-archive = La votación está archivada.
host-seals = Archivar esta votación también la sella. Solo lo hace esta orden:
host-results = Resultados
host-not-opened = La votación no se ha abierto.
host-not-final-open = No es definitivo: la votación está abierta.
host-not-final-counting = No es definitivo: se cuentan las últimas papeletas.
host-final = Definitivo: todas las papeletas aceptadas están contadas.
host-waiting =
    { $ballots ->
        [0] Ninguna papeleta aceptada espera a ser contada.
        [one] { $ballots } papeleta aceptada aún no está contada.
       *[other] { $ballots } papeletas aceptadas aún no están contadas.
    }
host-waiting-unknown = No se sabe cuántas papeletas aceptadas aún no están contadas.
host-as-of = Estado: { $at }.
host-reload = Volver a cargar
host-column-option = Opción
host-column-votes = Votos
host-column-share = Proporción
host-rules = Reglas
host-rule-opens = Apertura
host-rule-closes = Cierre
host-no-time = no hay hora fijada
host-by-hand = a mano
host-rule-choices = Opciones por papeleta
host-choices = { $min } a { $max }
host-rule-ballot = Papeleta
host-rule-results = Página de resultados
host-corrections = Correcciones
host-steps = Últimos pasos
host-column-when = Cuándo
host-column-field = Campo
host-column-before = Antes
host-column-after = Después
host-column-who = Quién
host-column-step = Paso
problem-forged = Vuelva a abrir la página
problem-needs-tls = Vuelva a través de TLS
problem-not-signed-in = Inicie sesión primero
problem-refused = Esto no es posible
problem-too-many-attempts = Demasiados intentos
problem-unconfirmed = Muestre su clave una vez más
host-detail-session-ended = su sesión ha terminado, y no se ha cambiado nada
host-detail-earlier-session = la página es de una sesión anterior: vuelva a abrirla
host-detail-other-site = una página de otro sitio envió esta petición
host-detail-needs-tls = las claves no cruzan ninguna red sin TLS: use una dirección que empiece por https
host-detail-wrong-token = esta clave no es válida, o fue revocada
host-detail-used-link = este enlace ya se usó, o tiene más de 15 minutos; pida otro, o use su clave
host-detail-attempts = demasiados intentos desde su red fueron erróneos: espere un poco
host-detail-unconfirmed = esto no se puede deshacer: escriba su clave para confirmarlo
host-detail-database = en este momento no se puede consultar la base de datos
host-detail-away = en este momento no se puede llegar a un servidor; mire la votación antes de intentarlo de nuevo
host-detail-failed = la orden no se pudo ejecutar; el registro del servicio dice por qué
host-detail-not-yours = no puede crear una votación «{ $slug }»: no es ninguna de las que se nombraron para usted
host-detail-not-now = los ajustes y el estado de la votación no lo permiten ahora
host-detail-taken = ya hay una votación con el nombre «{ $slug }»
host-detail-no-option = la votación no tiene la opción «{ $slug }»
host-detail-slug = el nombre en las direcciones tiene de 1 a 63 caracteres: letras minúsculas de la a a la z, cifras, y guiones entre ellas
host-detail-title = la pregunta tiene de 1 a { $max } caracteres, no { $given }
host-detail-options = una votación tiene de 2 a { $max } opciones, no { $given }
host-detail-choices = una papeleta puede elegir de 1 a { $max } opciones, no «{ $given }»
host-detail-time = «{ $given }» no es una hora: escriba now, +10m, +2h, +1d, o una hora como 2026-03-01 20:00 Europe/Berlin
host-detail-time-zone = la hora «{ $given }» necesita su zona, como { $given } Europe/Berlin
host-detail-no-zone = no hay ninguna zona horaria «{ $given }»; un ejemplo es Europe/Berlin
host-detail-say-when = diga cuánto más tarde, o hasta cuándo
host-detail-value = «{ $given }» no es un valor de { $name }
host-detail-needs-opening = una hora de cierre necesita una hora de apertura
host-detail-is-draft = la votación no se ha abierto: es un borrador
host-detail-is-over = esto ya no se puede cambiar, porque la votación está { $state ->
        [archived] archivada
       *[other] cerrada
    }
host-detail-not-opened = la votación no se ha abierto: indique la hora a la que se cerrará
host-detail-closes-soon = la votación se cierra por sí sola en unos segundos
host-detail-opens-soon = la votación se abre por sí sola en unos segundos
host-detail-too-early = la votación puede cerrarse como pronto dentro de { $ms } ms: elija una hora posterior, o ninguna
host-detail-closes-first = la votación se cerraría antes de abrirse: elija un cierre posterior
host-detail-is-open = la votación ya está abierta
host-detail-has-opened = la votación se ha abierto: ciérrela para terminarla
host-detail-no-end = la votación no tiene hora de cierre: ciérrela e indique la hora
host-detail-ends-later = la votación ya se cierra { $at }: elija una hora posterior
host-detail-past = una votación no puede abrirse en el pasado: elija una hora posterior
host-detail-close-first = la votación está abierta, o se abrirá: ciérrela primero
host-detail-seals = esta votación se sella al archivarla, y eso solo puede hacerlo `votectl poll archive`
host-codes = Códigos de votación
host-codes-new = Códigos nuevos
host-codes-new-does = La página siguiente muestra los códigos nuevos, una sola vez. Solo se guardan sus resúmenes, así que nadie puede volver a mostrarlos: imprima la página.
host-codes-count = Cuántos
host-codes-count-hint = De 1 a 1000 a la vez
host-codes-issue = Crear códigos
host-codes-own = Códigos que la gente ya tiene
host-codes-own-does = También pasan a ser códigos de esta votación. Los códigos que la votación ya tiene siguen como están.
host-codes-field = Códigos
host-codes-field-hint = Uno en cada línea: 16 cifras y letras sin I, L, O ni U; los guiones y los espacios no cuentan
host-codes-import = Añadir estos códigos
host-codes-added =
    { $added ->
        [one] { $added } código añadido.
       *[other] { $added } códigos añadidos.
    } { $there ->
        [0] Ninguno estaba ya.
       *[other] Ya estaban: { $there }.
    }
host-codes-guessable = Algunos de estos códigos se pueden adivinar a partir de otros, o son inventados. Quien adivine uno puede votar con él.
host-cards = Códigos de votación nuevos
host-cards-note = Imprima esta página ahora, y corte por las líneas discontinuas. Cuando la deje, nadie podrá volver a mostrar estos códigos. Quien tenga uno puede votar con él.
host-cards-picture = Código QR del enlace personal
host-cards-how = Escanee la imagen, o abra la papeleta y escriba este código. Cuenta una vez. Guárdelo para usted.
host-download = Descargar:
host-detail-count = cree de 1 a { $max } códigos a la vez, no «{ $given }»
host-detail-no-code = la línea { $line } no es un código, y no se añadió nada: un código tiene 16 caracteres, cifras y letras sin I, L, O ni U
host-detail-codes-empty = no hay ningún código que añadir
host-detail-no-codes = en esta votación puede votar todo el mundo: solo acepta códigos una votación que los necesita
