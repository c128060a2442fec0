# Sentences that the scripts of the ballot page write; the server writes some of them first. They may hold variables and
# selections by number, and no other part of Fluent.

state-open = La votación está abierta
state-closed = La votación se ha cerrado
state-not-open = Aún no abierta
closes-until = hasta
closes-since = desde
time-left = quedan { $left }
closing-now = se cierra ahora
opens-in = en { $left }
opening-now = se abre ahora
span-seconds = { $s } s
span-minutes = { $m } min { $s } s
span-hours = { $h } h { $m } min
span-days =
    { $days ->
        [one] { $days } día
       *[other] { $days } días
    } { $h } h
thanks = Gracias por votar.
no-vote-here = En este navegador no consta ningún voto suyo.
note-change = Su voto cuenta una vez. Puede cambiarlo hasta que se cierre la votación.
note-stands = Su voto cuenta una vez; queda firme.
hint-remembered = Deje esto vacío para cambiar el voto de arriba. Otra persona escribe su propio código.
policy-another = Otra persona puede votar aquí con su propio código. Cada código tiene un voto.
chosen-count = { $marked } de { $max } marcadas
send-vote = Votar
send-vote-for = Votar por { $choice }
send-vote-for-many = Votar por { $count } opciones
send-change = Cambiar mi voto
send-change-to = Cambiar mi voto a { $choice }
send-change-to-many = Cambiar mi voto a { $count } opciones
fault-stands = Este es el voto que ya vale.
fault-stands-words = Marque otra opción para cambiarlo.
fault-not-sent = No enviado.
fault-none = Marque primero una opción, o pulse «Ninguna de estas».
fault-few =
    { $min ->
        [1] Marque primero una opción.
       *[other] Marque al menos { $min } opciones.
    }
fault-many = Marque como máximo { $max } opciones; ahora hay { $marked } marcadas.
enter-code = Escriba su código de votación.
checking = Comprobando…
checking-person = Demuestre abajo que es una persona. Después, su voto se enviará por sí solo.
checking-work = Su dispositivo calcula un momento, para que los programas no puedan votar muchas veces. Después, su voto se enviará por sí solo.
checking-share = { $share } %
check-failed = La comprobación no funcionó. Vuelva a cargar esta página e inténtelo otra vez.
check-too-old = Vuelva a cargar esta página: es más antigua que el servicio.
check-no-calculation = Su navegador no puede hacer el cálculo. Pruebe con otro navegador.
check-person-failed = La comprobación de que usted es una persona no funcionó. Vuelva a cargar esta página e inténtelo otra vez.
check-person-blocked = No se puede cargar la comprobación de que usted es una persona. Puede deberse a un bloqueador de scripts.
not-stored = Su voto no está guardado
accepted = Aceptado: usted votó por
accepted-none = Aceptado: usted no eligió ninguna de las opciones
stands = Su voto vale: usted votó por
stands-other = Usted ya había votado por
stands-none = Su papeleta vale: usted no eligió ninguna de las opciones
stopped = Detenido.
no-answer = El servidor no responde.
unconfirmed = Su voto no está confirmado. Pulse el botón para intentarlo otra vez: nunca se cuenta dos veces.
sending = Enviando su voto…
waiting = Aún sin confirmar.
waiting-words = Se intentará de nuevo por sí solo; mantenga esta página abierta.
wait-network = Sin conexión con el servidor.
wait-slow = La conexión es lenta: el voto no llegó completo.
wait-server = El servidor está ocupado.
wait-limit = Muchísimas personas de su red envían algo en este mismo momento.
wait-closing-soon = La votación está a punto de cerrarse: un voto que no se acepte antes no cuenta.
wait-closing-over = La votación se ha cerrado entretanto: esta página pregunta si su voto se guardó a tiempo.
try-in = Intento { $attempt } en { $left }.
try-now = Intento { $attempt } ahora…
not-voted-yet = Usted aún no ha votado
not-voted-yet-words = El servicio puede ver otra vez si usted ha votado.
too-old = Esta página es demasiado antigua para votar.
too-old-words = Vuelva a cargarla y vote otra vez. Si eso no ayuda, ciérrela y abra de nuevo la dirección.
not-stored-title = Su voto no está guardado.
check-no-success = La comprobación no tuvo éxito. Vuelva a cargar esta página y vote otra vez.
poll-gone = Esta votación ya no existe.
poll-gone-words = Pregunte a quien le dio la dirección.
not-taken = Su voto no se aceptó.
not-taken-words = Vuelva a cargar esta página y vote otra vez.
