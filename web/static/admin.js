// What scripts add to the admin pages, which work without them.
'use strict';
